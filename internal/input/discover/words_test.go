package discover

import (
	"reflect"
	"strings"
	"testing"
)

func TestWords(t *testing.T) {
	for _, tt := range []struct {
		script string
		want   [][]string
	}{
		{"", nil},
		{"  \n ", nil},
		{"npx -y a", [][]string{{"npx", "-y", "a"}}},
		{`a "b c" 'd "e"' f\ g ""`, [][]string{{"a", "b c", `d "e"`, "f g", ""}}},
		{`a "x \" \\ \n $Y"`, [][]string{{"a", `x " \ \n $Y`}}},
		{"a && b || c; d & e | f\ng", [][]string{{"a"}, {"b"}, {"c"}, {"d"}, {"e"}, {"f"}, {"g"}}},
		{"a \\\n  b", [][]string{{"a", "b"}}},
		{"a # b; c\nd#e", [][]string{{"a"}, {"d#e"}}},
		{"(cd x; a)", [][]string{{"cd", "x"}, {"a"}}},
		{"a --port $(PORT) ${X:-1}", [][]string{{"a", "--port", "$(PORT)", "${X:-1}"}}},
		{"a 2>&1 &>f b", [][]string{{"a", "2>&1", "&>f", "b"}}},
		{`a "open b`, [][]string{{"a", "open b"}}},
		{`a 'open b`, [][]string{{"a", "open b"}}},
		{`a \`, [][]string{{"a"}}},
		{"a $(open", [][]string{{"a", "$(open)"}}},
	} {
		if got := words(tt.script); !reflect.DeepEqual(got, tt.want) {
			t.Errorf("words(%q) = %q, want %q", tt.script, got, tt.want)
		}
	}
	count := 0
	for _, command := range words(strings.Repeat("a ", 2*maxWords)) {
		count += len(command)
	}
	if count != maxWords {
		t.Errorf("%d words, want the limit %d", count, maxWords)
	}
}

// FuzzWords checks that text without special characters is split as fields are, that quoting a word
// keeps it, and that commands read from any text end.
func FuzzWords(f *testing.F) {
	for _, s := range []string{"npx -y a", `sh -c "sh -c \"npx x\""`, "a '", `\`, "$(", "a&&b", "supergateway --stdio 'supergateway --stdio \"x\"'", "uvx --from", "env -", "python -m", "docker run -e"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := words(s)
		if !strings.ContainsAny(s, "'\"\\$#&;|()\n\v\f\u0085\u00a0") && len(s) < maxScript && strings.IndexFunc(s, func(r rune) bool { return r > 126 }) < 0 {
			var all []string
			for _, c := range got {
				all = append(all, c...)
			}
			if want := strings.Fields(s); len(want) < maxWords && !(len(all) == 0 && len(want) == 0) && !reflect.DeepEqual(all, want) {
				t.Errorf("words(%q) = %q, want %q", s, all, want)
			}
		}
		if len(s) < 1000 {
			quoted := "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
			if back := words(quoted); len(back) != 1 || len(back[0]) != 1 || back[0][0] != s {
				t.Errorf("words(%q) = %q", quoted, back)
			}
		}
		var p parser
		p.run([]string{"sh", "-c", s}, false, 0)
		p.run(strings.Fields(s), false, 0)
		targets(s, 1, true)
	})
}
