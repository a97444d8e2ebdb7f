package rule_test

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/toolmoat/toolmoat/internal/analysis/audit"
	"github.com/toolmoat/toolmoat/internal/analysis/rule"
	"github.com/toolmoat/toolmoat/internal/engine/cni"
	"github.com/toolmoat/toolmoat/internal/engine/finding"
	"github.com/toolmoat/toolmoat/internal/engine/reach"
	"github.com/toolmoat/toolmoat/internal/input/discover"
	"github.com/toolmoat/toolmoat/internal/input/source"
)

// The cases are testdata/RULE/NAME.yaml: manifests with
//
//	# want "regexp"
//
// on each line that a finding or problem of RULE names as its origin. Several may stand on one
// line, each after its own "want". The regexp is matched against "severity: message [profiles]",
// the profiles only where a finding does not hold under all of them. A line "# cni: NAME,NAME" says
// under which a case is judged, if not under the API's text, and a line "# facts: {...}" what is
// known of the cluster. What is not wanted must not be found, so a file without wants is one in
// which RULE stays silent.
//
//	# has TM102 "regexp"
//
// asks that another rule finds something there, and says nothing of what else it finds. After a
// line "-- fixed --" follow documents that are added, or take the place of those with the same kind
// and metadata lines; RULE must have nothing to say of the outcome.
var (
	wantPattern = regexp.MustCompile("(want|has (TM[0-9]{3})) (\"(?:[^\"\\\\]|\\\\.)*\"|`[^`]*`)")
	separator   = "\n-- fixed --\n"
)

type ruleCase struct {
	rule, name  string
	text, fixed string
	wants       []want
}

// want is a finding that must be there.
type want struct {
	rule  string
	line  int
	text  *regexp.Regexp
	other bool // of a rule that is not under test
}

func ruleCases(t *testing.T) []ruleCase {
	t.Helper()
	dir := os.DirFS("testdata")
	files, err := fs.Glob(dir, "*/*.yaml")
	if err != nil || files == nil {
		t.Fatal("no cases", err)
	}
	out := make([]ruleCase, 0, len(files))
	for _, name := range files {
		data, err := fs.ReadFile(dir, name)
		if err != nil {
			t.Fatal(err)
		}
		c := ruleCase{rule: path.Dir(name), name: strings.TrimSuffix(path.Base(name), ".yaml")}
		text, fixed, hasFix := strings.Cut(string(data), separator)
		c.text = text + "\n"
		if hasFix {
			c.fixed = patched(c.text, fixed)
		}
		c.wants = wantsOf(t, c)
		out = append(out, c)
	}
	return out
}

func wantsOf(t *testing.T, c ruleCase) []want {
	t.Helper()
	var out []want
	line := 0
	for text := range strings.Lines(c.text) {
		line++
		_, comment, _ := strings.Cut(text, "# ")
		for _, m := range wantPattern.FindAllStringSubmatch(comment, -1) {
			w := want{rule: c.rule, line: line, other: m[2] != ""}
			if w.other {
				w.rule = m[2]
			}
			pattern, err := strconv.Unquote(m[3])
			if err == nil {
				w.text, err = regexp.Compile(pattern)
			}
			if err != nil {
				t.Fatalf("%s/%s:%d: %v", c.rule, c.name, line, err)
			}
			out = append(out, w)
		}
	}
	return out
}

// patched puts the documents of fixed in the place of those of text with the same kind and metadata
// lines, or after them.
func patched(text, fixed string) string {
	docs := strings.Split(text, "\n---\n")
	for _, doc := range strings.Split(fixed, "\n---\n") {
		i := slices.IndexFunc(docs, func(d string) bool { return head(d) == head(doc) })
		if i < 0 {
			i, docs = len(docs), append(docs, "")
		}
		docs[i] = doc
	}
	return strings.Join(docs, "\n---\n")
}

// head is what names the object of a document.
func head(doc string) string {
	var out []string
	for line := range strings.Lines(doc) {
		if strings.HasPrefix(line, "kind:") || strings.HasPrefix(line, "metadata:") {
			line, _, _ = strings.Cut(line, " #")
			out = append(out, strings.TrimSpace(line))
		}
	}
	return strings.Join(out, "\n")
}

// cniLine says under which profiles a case is judged, if not under the API's text: "# cni:
// calico,cilium" or "# cni: any".
var cniLine = regexp.MustCompile(`(?m)^# cni: (\S+)$`)

// factsLine says what is known of the cluster: "# facts: " and the JSON of model.Facts.
var factsLine = regexp.MustCompile(`(?m)^# facts: (.+)$`)

// profileOf is the profile, or the list of them, that a case is judged under.
func profileOf(text string) string {
	if m := cniLine.FindStringSubmatch(text); m != nil {
		return m[1]
	}
	return cni.Spec
}

// judge audits manifests as the command does.
func judge(t *testing.T, name, text string) audit.Result {
	t.Helper()
	profiles, err := cni.Named(name)
	if err != nil {
		t.Fatal(err)
	}
	s := source.LoadFiles(source.File{Name: "case.yaml", Data: []byte(text)})
	if m := factsLine.FindStringSubmatch(text); m != nil {
		if err := json.Unmarshal([]byte(m[1]), &s.Facts); err != nil {
			t.Fatal(err)
		}
	}
	s.Servers = discover.Servers(s)
	return audit.Of(reach.Assuming(reach.NewGround(s), reach.Typical, profiles...), nil)
}

// reported is a finding or a problem.
type reported struct {
	rule, text string
	line       int
}

func (r reported) String() string { return fmt.Sprintf("line %d: %s %s", r.line, r.rule, r.text) }

func reports(res audit.Result) []reported {
	var out []reported
	for _, f := range res.Findings {
		text := f.Severity.String() + ": " + f.Message
		if f.CNI != nil {
			text += " [" + strings.Join(f.CNI, ",") + "]"
		}
		out = append(out, reported{f.Rule, text, f.Origin.Line})
	}
	for _, p := range res.Problems {
		out = append(out, reported{p.Rule, finding.Incomplete.String() + ": " + p.Message, p.Origin.Line})
	}
	return out
}

func TestCases(t *testing.T) {
	for _, c := range ruleCases(t) {
		t.Run(c.rule+"/"+c.name, func(t *testing.T) {
			if !strings.HasPrefix(c.text, "# ") {
				t.Error("no comment says what the case is about")
			}
			res := judge(t, profileOf(c.text), c.text)
			checkFindings(t, res)
			compare(t, c, reports(res))
			if c.fixed == "" {
				return
			}
			for _, r := range reports(judge(t, profileOf(c.text), c.fixed)) {
				if r.rule == c.rule {
					t.Errorf("after the fix: %s", r.text)
				}
				if strings.HasPrefix(r.rule, "TM9") {
					t.Errorf("the fix cannot be judged: %v", r)
				}
			}
		})
	}
}

// compare demands every want, and nothing else of the rule under test.
func compare(t *testing.T, c ruleCase, got []reported) {
	t.Helper()
	for _, w := range c.wants {
		i := slices.IndexFunc(got, func(r reported) bool { return r.rule == w.rule && r.line == w.line && w.text.MatchString(r.text) })
		if i < 0 {
			t.Errorf("line %d: nothing of %s matches %q", w.line, w.rule, w.text)
		} else if !w.other {
			got = slices.Delete(slices.Clone(got), i, i+1)
		}
	}
	for _, r := range got {
		if r.rule == c.rule {
			t.Errorf("not wanted: %v", r)
		}
	}
}

// checkFindings demands what every finding must have, whichever rule it is of.
func checkFindings(t *testing.T, res audit.Result) {
	t.Helper()
	for _, f := range res.Findings {
		r, known := rule.ByID(f.Rule)
		switch {
		case !known:
			t.Errorf("no rule is called %s", f.Rule)
		case f.Severity > r.Severity || f.Severity <= finding.Incomplete:
			t.Errorf("%s is %s at most and reports %s", f.Rule, r.Severity, f.Severity)
		case f.Origin.Object == "" && !slices.ContainsFunc(res.Problems, func(p finding.Problem) bool { return p.Origin == f.Origin }):
			t.Errorf("%s is about no object: %+v", f.Rule, f)
		case f.Message == "" || f.Fix == "" || f.Fingerprint == "" || f.Origin.File == "" || f.Origin.Line == 0:
			t.Errorf("%s leaves something out: %+v", f.Rule, f)
		case (f.Server == "") != (r.Input != nil):
			t.Errorf("%s is about server %q", f.Rule, f.Server)
		case f.Witness != nil && (f.Witness.From == "" || f.Witness.To == "" || (f.Witness.Port == 0) != (f.Witness.Protocol == "")):
			t.Errorf("%s has half a witness: %+v", f.Rule, *f.Witness)
		}
		if at := strings.Index(f.Message, "%!"); at >= 0 {
			t.Errorf("%s: a bad format: %s", f.Rule, f.Message)
		}
	}
}
