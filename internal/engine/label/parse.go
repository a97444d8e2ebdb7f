package label

import (
	"fmt"
	"strings"
)

// Parse reads a selector in kubectl's language: "a=b,c!=d,e in (x,y),f notin (z),g,!h". An empty
// text selects everything.
func Parse(text string) (Selector, error) {
	var s Selector
	for rest := strings.TrimSpace(text); rest != ""; {
		term := rest
		if i := comma(rest); i >= 0 {
			term, rest = rest[:i], rest[i+1:]
			if strings.TrimSpace(rest) == "" {
				return Selector{}, fmt.Errorf("selector %q ends with a comma", text)
			}
		} else {
			rest = ""
		}
		key, values, err := parseTerm(strings.TrimSpace(term))
		if err != nil {
			return Selector{}, err
		}
		s = s.Require(key, values)
	}
	return s, nil
}

// comma returns the index of the first comma outside parentheses, or -1.
func comma(s string) int {
	depth := 0
	for i, c := range s {
		switch {
		case c == '(':
			depth++
		case c == ')':
			depth--
		case c == ',' && depth == 0:
			return i
		}
	}
	return -1
}

func parseTerm(term string) (key string, v Values, err error) {
	if name, ok := strings.CutPrefix(term, "!"); ok {
		return validKey(term, strings.TrimSpace(name), Absent())
	}
	for _, op := range []struct {
		text string
		of   func(...string) Values
	}{{"!=", NotIn}, {"==", In}, {"=", In}} {
		if key, value, ok := strings.Cut(term, op.text); ok {
			return validKey(term, strings.TrimSpace(key), op.of(strings.TrimSpace(value)))
		}
	}
	fields := strings.Fields(term)
	if len(fields) == 1 && !strings.ContainsAny(term, "()") {
		return validKey(term, term, Exists())
	}
	if len(fields) >= 2 {
		op, list, _ := strings.Cut(strings.TrimSpace(strings.TrimPrefix(term, fields[0])), "(")
		list, closed := strings.CutSuffix(strings.TrimSpace(list), ")")
		values := strings.Split(list, ",")
		for i := range values {
			values[i] = strings.TrimSpace(values[i])
		}
		switch strings.TrimSpace(op) {
		case "in":
			v = In(values...)
		case "notin":
			v = NotIn(values...)
		default:
			closed = false
		}
		if closed {
			return validKey(term, fields[0], v)
		}
	}
	return "", Values{}, fmt.Errorf("%q is no selector; write a=b, a!=b, a in (b,c), a notin (b,c), a or !a", term)
}

func validKey(term, key string, v Values) (string, Values, error) {
	if key == "" || strings.ContainsAny(key, " \t()=!,") {
		return "", Values{}, fmt.Errorf("%q names no label", term)
	}
	return key, v, nil
}
