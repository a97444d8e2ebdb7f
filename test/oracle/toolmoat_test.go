package oracle

import "testing"

type toolmoat struct{}

func newToolmoat(t *testing.T, s *state) toolmoat {
	s.manifests(t)
	return toolmoat{}
}
func (toolmoat) name() string           { return "toolmoat" }
func (toolmoat) judge(question) verdict { return unsure }

func read(t *testing.T, text []byte) string { return "" }
