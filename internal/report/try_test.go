package report

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/toolmoat/toolmoat/internal/cni"
	"github.com/toolmoat/toolmoat/internal/matrix"
	"github.com/toolmoat/toolmoat/internal/query"
	"github.com/toolmoat/toolmoat/internal/reach"
	"github.com/toolmoat/toolmoat/internal/source"
)

func TestTry(t *testing.T) {
	if os.Getenv("TRY") == "" { t.Skip() }
	s, err := source.Load(context.Background(), source.Options{Paths: []string{os.Getenv("TRY")}})
	if err != nil { t.Fatal(err) }
	p := reach.NewProgram(reach.NewGround(s), cni.Profiles[0])
	basis := Basis{CNI: []string{"spec"}, Complete: len(s.Problems)==0, Problems: s.Problems, Assumptions: []string{"policies mean what they say"}}
	for _, line := range strings.Split(os.Getenv("Q"), ";") {
		f := strings.Fields(line)
		if len(f) == 0 { continue }
		q, err := query.Parse(f[0], f[1])
		if err != nil { fmt.Println(line, "ERR", err); continue }
		a, err := query.Ask(p, q)
		if err != nil { fmt.Println(line, "ERR", err); if n, ok := err.(*query.NameError); ok { fmt.Println(n.Hint()) }; continue }
		if os.Getenv("J") != "" { JSON(os.Stdout, Can(a, basis)); continue }
		Text(os.Stdout, CanText(a, basis, Options{}), Options{})
		fmt.Println("-----")
	}
	if os.Getenv("M") == "" { return }
	m := matrix.Of(p)
	switch os.Getenv("M") {
	case "text": Text(os.Stdout, Map(m, basis, os.Getenv("X") != "", Options{}), Options{})
	case "json": MapJSON(os.Stdout, m, basis, os.Getenv("X") != "")
	case "csv": MapCSV(os.Stdout, m, os.Getenv("X") != "")
	case "dot": MapDOT(os.Stdout, m, os.Getenv("X") != "")
	}
}
