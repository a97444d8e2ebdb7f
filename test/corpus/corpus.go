// Package corpus reads the public cases in testdata/corpus, whose language is documented there. It
// is for tests.
package corpus

import (
	"bufio"
	"bytes"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Case is one file: manifests and what must be said of them.
type Case struct {
	Name      string   // of the file, without its extension
	About     string   // the comment at its head
	Manifests []byte   // YAML, with the lines of the file
	Expect    []Expect // by the API's text
	Sections  []Section
	Problems  []Problem
}

// Section is what must be said under some profiles.
type Section struct {
	Line     int
	Profiles []string // their names, [Any] or [Others]
	Expect   []Expect
}

// What a section may say instead of naming profiles.
const (
	Any    = "any"    // every profile that enforces policies in its default mode
	Others = "others" // those of Any that no section of the case names
)

// Under returns what must be said under a profile. enforcing is the names that [Any] stands for.
func (c Case) Under(profile string, enforcing []string) []Expect {
	var out []Expect
	for _, s := range c.Sections {
		if s.covers(c, profile, enforcing) {
			out = append(out, s.Expect...)
		}
	}
	return out
}

func (s Section) covers(c Case, profile string, enforcing []string) bool {
	switch s.Profiles[0] {
	case Any:
		return slices.Contains(enforcing, profile)
	case Others:
		return slices.Contains(enforcing, profile) && !slices.Contains(c.Named(), profile)
	}
	return slices.Contains(s.Profiles, profile)
}

// Named returns the profiles that sections name, sorted.
func (c Case) Named() []string {
	var out []string
	for _, s := range c.Sections {
		if s.Profiles[0] != Any && s.Profiles[0] != Others {
			out = append(out, s.Profiles...)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// Expect is one question and its answer.
type Expect struct {
	Line     int
	Verdict  string // allow, deny, depends, unknown or notenforced
	From, To string // as written: a workload, a pod, a Service or an address; To may be a host name
	Lo, Hi   int    // every port from Lo to Hi has the verdict
	Protocol string // TCP, UDP or SCTP
	If       string // of depends and unknown: part of the condition; "" if none is asked for
}

// Problem is something that must be reported of the input.
type Problem struct {
	Line int
	Rule string
	Text string // part of the message; "" if none is asked for
}

// separator stands between manifests and expectations, and before each section of them.
const separator = "=== expect"

var namePattern = regexp.MustCompile(`^[a-z0-9-]+(:[a-z0-9=+-]+)?$`)

// Load reads every case of a directory, by name.
func Load(dir fs.FS) ([]Case, error) {
	names, err := fs.Glob(dir, "*.case")
	if err != nil {
		return nil, err
	}
	var out []Case
	for _, name := range names {
		data, err := fs.ReadFile(dir, name)
		if err != nil {
			return nil, err
		}
		c, err := Parse(data)
		if err != nil {
			return nil, fmt.Errorf("%s:%w", name, err)
		}
		c.Name = strings.TrimSuffix(path.Base(name), ".case")
		out = append(out, c)
	}
	return out, nil
}

// Parse reads one case. Its error begins with a line number.
func Parse(data []byte) (Case, error) {
	var c Case
	start := bytes.Index(data, []byte("\n"+separator))
	if start < 0 {
		return c, fmt.Errorf("1: no line %q", separator)
	}
	c.Manifests = bytes.Clone(data[:start+1])
	expectations := data[start+1:]
	for line := range strings.Lines(string(c.Manifests)) {
		text, comment := strings.CutPrefix(line, "#")
		if !comment {
			break
		}
		c.About += strings.TrimPrefix(text, " ")
	}
	if c.About == "" {
		return c, fmt.Errorf("1: no comment says what the case is about")
	}
	at := bytes.Count(c.Manifests, []byte("\n"))
	for lines := bufio.NewScanner(bytes.NewReader(expectations)); lines.Scan(); {
		at++
		text := strings.TrimSpace(lines.Text())
		if text == "" || strings.HasPrefix(text, "#") {
			continue
		}
		if names, ok := strings.CutPrefix(text, separator); ok {
			if err := c.section(names, at); err != nil {
				return c, fmt.Errorf("%d: %w", at, err)
			}
			continue
		}
		if err := c.line(text, at); err != nil {
			return c, fmt.Errorf("%d: %w", at, err)
		}
	}
	if c.Expect == nil && c.Sections == nil && c.Problems == nil {
		return c, fmt.Errorf("%d: nothing is expected", at)
	}
	for _, s := range c.Sections {
		if s.Expect == nil {
			return c, fmt.Errorf("%d: nothing is expected", s.Line)
		}
	}
	return c, nil
}

// section begins a section. Without names it is the one about the API's text, which comes first.
func (c *Case) section(names string, at int) error {
	if names == "" {
		if c.Expect != nil || c.Sections != nil {
			return fmt.Errorf("a section without names comes first")
		}
		return nil
	}
	s := Section{Line: at}
	for name := range strings.SplitSeq(names, ",") {
		name = strings.TrimSpace(name)
		if !namePattern.MatchString(name) {
			return fmt.Errorf("%q is no name of a profile", name)
		}
		s.Profiles = append(s.Profiles, name)
	}
	if len(s.Profiles) > 1 && (slices.Contains(s.Profiles, Any) || slices.Contains(s.Profiles, Others)) {
		return fmt.Errorf("%s and %s stand alone", Any, Others)
	}
	c.Sections = append(c.Sections, s)
	return nil
}

// line reads one expectation.
func (c *Case) line(text string, at int) error {
	word, rest, _ := strings.Cut(text, " ")
	rest = strings.TrimSpace(rest)
	switch word {
	case "problem":
		rule, part, _ := strings.Cut(rest, " ")
		if rule == "" {
			return fmt.Errorf("%q names no rule", text)
		}
		c.Problems = append(c.Problems, Problem{at, rule, strings.TrimSpace(part)})
		return nil
	case "allow", "deny", "depends", "unknown", "notenforced":
	default:
		return fmt.Errorf("%q is no word of the language", word)
	}
	e := Expect{Line: at, Verdict: word}
	rest, e.If, _ = strings.Cut(rest, " if ")
	if e.If != "" && word != "depends" && word != "unknown" {
		return fmt.Errorf("%s is certain and takes no condition", word)
	}
	from, to, ok := strings.Cut(rest, " -> ")
	if !ok {
		return fmt.Errorf("%q is not FROM -> TO:PORT/PROTOCOL", rest)
	}
	e.From = strings.TrimSpace(from)
	to = strings.TrimSpace(to)
	slash, colon := strings.LastIndexByte(to, '/'), strings.LastIndexByte(to, ':')
	if slash < 0 || colon < 0 || slash < colon {
		return fmt.Errorf("%q is not TO:PORT/PROTOCOL", to)
	}
	e.To, e.Protocol = to[:colon], to[slash+1:]
	lo, hi, isRange := strings.Cut(to[colon+1:slash], "-")
	if !isRange {
		hi = lo
	}
	var err error
	if e.Lo, err = strconv.Atoi(lo); err == nil {
		e.Hi, err = strconv.Atoi(hi)
	}
	if err != nil || e.Lo < 1 || e.Hi < e.Lo || e.Hi > 65535 {
		return fmt.Errorf("%q is no port and no range of ports", to[colon+1:slash])
	}
	if e.Protocol != "TCP" && e.Protocol != "UDP" && e.Protocol != "SCTP" {
		return fmt.Errorf("%q is no protocol", e.Protocol)
	}
	if n := len(c.Sections); n > 0 {
		c.Sections[n-1].Expect = append(c.Sections[n-1].Expect, e)
	} else {
		c.Expect = append(c.Expect, e)
	}
	return nil
}
