package main

import (
	"fmt"
	"io"
	"testing"

	"github.com/toolmoat/toolmoat/internal/analysis/audit"
	"github.com/toolmoat/toolmoat/internal/analysis/matrix"
	"github.com/toolmoat/toolmoat/internal/engine/cni"
	"github.com/toolmoat/toolmoat/internal/engine/model"
	"github.com/toolmoat/toolmoat/internal/engine/policy"
	"github.com/toolmoat/toolmoat/internal/engine/reach"
	"github.com/toolmoat/toolmoat/internal/input/discover"
	"github.com/toolmoat/toolmoat/internal/input/source"
	"github.com/toolmoat/toolmoat/internal/report"
	"github.com/toolmoat/toolmoat/test/synth"
)

// BenchmarkPipeline measures each stage of an audit and of a map on synthetic clusters.
// docs/performance.md records the results.
func BenchmarkPipeline(b *testing.B) {
	for _, workloads := range []int{500, 2000, 10000} {
		var files []source.File
		for _, f := range synth.Size(workloads).Files() {
			files = append(files, source.File{Name: f.Name, Data: f.Data})
		}
		decode := func() *model.Snapshot {
			s := source.LoadFiles(files...)
			s.Servers = discover.Servers(s)
			return s
		}
		snapshot := decode()
		if len(snapshot.Problems) > 0 || len(snapshot.Workloads) != workloads {
			b.Fatalf("%d workloads, %v", len(snapshot.Workloads), snapshot.Problems)
		}
		compile := func() *reach.Program {
			return reach.Assuming(reach.NewGround(snapshot), reach.Typical, cni.Profiles[0])
		}
		stage := func(name string, run func()) {
			b.Run(fmt.Sprintf("%s/%d", name, workloads), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					run()
				}
			})
		}
		stage("decode", func() { decode() })
		stage("ground", func() { reach.NewGround(snapshot) })
		stage("fold", func() {
			p := compile()
			for class := range p.Classes() {
				for _, d := range policy.Directions {
					p.OneSided(class, d)
				}
			}
		})
		stage("audit", func() { audit.Of(compile(), nil) })
		stage("map", func() {
			if err := report.MapJSON(io.Discard, matrix.Of(compile()), report.Basis{}, false); err != nil {
				b.Fatal(err)
			}
		})
	}
}
