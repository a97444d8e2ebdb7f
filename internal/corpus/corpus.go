// Package corpus reads the public cases in testdata/corpus, whose language is documented there. It is for tests.
package corpus

import (
	"bufio"
	"bytes"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"
)

// Case is one file: manifests and what must be said of them.
type Case struct {
	Name      string // of the file, without its extension
	About     string // the comment at its head
	Manifests []byte // YAML, with the lines of the file
	Expect    []Expect
	Problems  []Problem
}

// Expect is one question and its answer.
type Expect struct {
	Line     int
	Verdict  string // allow, deny, depends or unknown
	From, To string // as written: a workload, a pod, a Service or an address
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

// separator stands between manifests and expectations.
const separator = "=== expect"

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
	manifests, expectations, ok := bytes.Cut(data, []byte("\n"+separator+"\n"))
	if !ok {
		return c, fmt.Errorf("1: no line %q", separator)
	}
	c.Manifests = append(manifests, '\n')
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
	at := bytes.Count(c.Manifests, []byte("\n")) + 1
	for lines := bufio.NewScanner(bytes.NewReader(expectations)); lines.Scan(); {
		at++
		text := strings.TrimSpace(lines.Text())
		if text == "" || strings.HasPrefix(text, "#") {
			continue
		}
		if err := c.line(text, at); err != nil {
			return c, fmt.Errorf("%d: %w", at, err)
		}
	}
	if c.Expect == nil && c.Problems == nil {
		return c, fmt.Errorf("%d: nothing is expected", at)
	}
	return c, nil
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
	case "allow", "deny", "depends", "unknown":
	default:
		return fmt.Errorf("%q is no word of the language", word)
	}
	e := Expect{Line: at, Verdict: word}
	rest, e.If, _ = strings.Cut(rest, " if ")
	if e.If != "" && (word == "allow" || word == "deny") {
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
	c.Expect = append(c.Expect, e)
	return nil
}
