package spell

import (
	"strings"
	"testing"
)

func TestDistance(t *testing.T) {
	for _, test := range []struct {
		a, b string
		most int
		want int
	}{
		{"", "", 3, 0},
		{"", "abc", 3, 3},
		{"abc", "abc", 0, 0},
		{"abc", "ab", 3, 1},
		{"github", "githb", 3, 1},
		{"cilum", "cilium", 3, 1},
		{"kitten", "sitting", 3, 3},
		{"kitten", "sitting", 2, 3},
		{"kitten", "sitting", 9, 3},
		{"abc", "xyz", 3, 3},
		{"abcd", "wxyz", 3, 4},
		{"a", strings.Repeat("b", 300), 3, 4},
	} {
		for _, pair := range [][2]string{{test.a, test.b}, {test.b, test.a}} {
			if got := Distance(pair[0], pair[1], test.most); got != test.want {
				t.Errorf("%q to %q, at most %d: %d, want %d", pair[0], pair[1], test.most, got, test.want)
			}
		}
	}
}

func TestNearest(t *testing.T) {
	names := []string{"cilium", "Calico", "none", "nine"}
	half := func(name string) int { return len(name)/2 - 1 }
	for word, want := range map[string]string{
		"cilium":  "cilium",
		"CALICO":  "Calico",
		"calium":  "cilium", // one change; Calico takes two
		"cilxxum": "cilium",
		"cixxxum": "",     // three changes
		"nune":    "none", // nine is as near and comes later
		"noxx":    "",     // of four letters one may be wrong
		"":        "",
	} {
		if near, ok := Nearest(word, names, half); near != want || ok != (want != "") {
			t.Errorf("%q: %q, %t, want %q", word, near, ok, want)
		}
	}
	if near, ok := Nearest("none", names, func(string) int { return -1 }); ok {
		t.Errorf("%q, although no name is allowed", near)
	}
}

// FuzzDistance compares with the definition: what the first letters cost, or one more for each
// letter that only one of the two has.
func FuzzDistance(f *testing.F) {
	f.Add("kitten", "sitting", uint8(3))
	f.Add("", "abc", uint8(9))
	f.Fuzz(func(t *testing.T, a, b string, most uint8) {
		a, b = a[:min(len(a), 6)], b[:min(len(b), 6)]
		if got, want := Distance(a, b, int(most)), min(plain(a, b), int(most)+1); got != want {
			t.Errorf("%q to %q, at most %d: %d, want %d", a, b, most, got, want)
		}
	})
}

func plain(a, b string) int {
	switch {
	case a == "" || b == "":
		return len(a) + len(b)
	case a[0] == b[0]:
		return plain(a[1:], b[1:])
	}
	return 1 + min(plain(a[1:], b[1:]), plain(a[1:], b), plain(a, b[1:]))
}
