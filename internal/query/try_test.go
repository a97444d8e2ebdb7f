package query

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/toolmoat/toolmoat/internal/cni"
	"github.com/toolmoat/toolmoat/internal/reach"
	"github.com/toolmoat/toolmoat/internal/source"
)

func TestTry(t *testing.T) {
	if os.Getenv("TRY") == "" { t.Skip() }
	s, err := source.Load(context.Background(), source.Options{Paths: []string{"../../examples/" + os.Getenv("TRY")}})
	if err != nil { t.Fatal(err) }
	p := reach.NewProgram(reach.NewGround(s), cni.Profiles[0])
	for _, line := range strings.Split(os.Getenv("Q"), ";") {
		f := strings.Fields(line)
		q, err := Parse(f[0], f[1])
		if err != nil { fmt.Println(line, "ERR", err); continue }
		a, err := Ask(p, q)
		if err != nil { fmt.Println(line, "ERR", err); if n, ok := err.(*NameError); ok { fmt.Println(n.Hint()) }; continue }
		fmt.Println(a.Verdict, a.From, "->", a.To, "| if", a.When, "|", a.Conns)
		for _, n := range a.Notes { fmt.Println("   note:", n) }
		for _, n := range a.Assumed { fmt.Println("   assumed:", n) }
		for _, st := range a.Steps { fmt.Printf("   %+v\n", st) }
	}
}
