package query
import ("testing";"fmt";"github.com/toolmoat/toolmoat/internal/policy")
func TestDbg(t *testing.T){
 p:=program(scene)
 for w:=range p.Snapshot.Workloads { if p.Snapshot.Workloads[w].Name=="lonely" {
  c:=p.ClassesOf(w)[0]
  for _,b:=range p.OneSided(c,policy.Egress){ fmt.Println("own",b.Verdict,b.Conns,b.Region.Cubes) }
  for _,s:=range p.Hypothetical(c,policy.Egress){ fmt.Println("hyp",s.Verdict,s.Conns,s.Namespace,s.NS,s.Pod) }
 }}
}
