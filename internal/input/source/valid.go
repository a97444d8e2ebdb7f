package source

import "strings"

// What follows are the formats of names as the API server checks them (k8s.io/apimachinery v0.36,
// pkg/api/validate/content/{dns,kube}.go and pkg/util/validation/validation.go).

func isLowerAlnum(b byte) bool { return b >= 'a' && b <= 'z' || b >= '0' && b <= '9' }

func isAlnum(b byte) bool { return isLowerAlnum(b) || b >= 'A' && b <= 'Z' }

// isDNSLabel reports whether s is an RFC 1123 label in lower case: what a namespace is called.
func isDNSLabel(s string) bool {
	if len(s) == 0 || len(s) > 63 || !isLowerAlnum(s[0]) || !isLowerAlnum(s[len(s)-1]) {
		return false
	}
	for i := range len(s) {
		if !isLowerAlnum(s[i]) && s[i] != '-' {
			return false
		}
	}
	return true
}

// isSubdomain reports whether s is an RFC 1123 subdomain in lower case: what most objects are
// called. Its parts may be longer than a DNS label.
func isSubdomain(s string) bool {
	if len(s) == 0 || len(s) > 253 {
		return false
	}
	for part := range strings.SplitSeq(s, ".") {
		if len(part) == 0 || !isLowerAlnum(part[0]) || !isLowerAlnum(part[len(part)-1]) {
			return false
		}
		for i := range len(part) {
			if !isLowerAlnum(part[i]) && part[i] != '-' {
				return false
			}
		}
	}
	return true
}

// isLabelName reports whether s may be the name in a label key, which is also the form of a label
// value that is not empty.
func isLabelName(s string) bool {
	if len(s) == 0 || len(s) > 63 || !isAlnum(s[0]) || !isAlnum(s[len(s)-1]) {
		return false
	}
	for i := range len(s) {
		if !isAlnum(s[i]) && s[i] != '-' && s[i] != '_' && s[i] != '.' {
			return false
		}
	}
	return true
}

func isLabelKey(s string) bool {
	if prefix, name, ok := strings.Cut(s, "/"); ok {
		return isSubdomain(prefix) && isLabelName(name)
	}
	return isLabelName(s)
}

func isLabelValue(s string) bool { return s == "" || isLabelName(s) }

// isAnnotationKey reports whether s may be the key of an annotation: a label key in any case.
func isAnnotationKey(s string) bool { return isLabelKey(strings.ToLower(s)) }

// isPortName reports whether s is an IANA service name (RFC 6335, section 5.1).
func isPortName(s string) bool {
	if len(s) == 0 || len(s) > 15 || strings.Contains(s, "--") || s[0] == '-' || s[len(s)-1] == '-' {
		return false
	}
	letter := false
	for i := range len(s) {
		if !isLowerAlnum(s[i]) && s[i] != '-' {
			return false
		}
		letter = letter || s[i] >= 'a' && s[i] <= 'z'
	}
	return letter
}

// isConfigKey reports whether s may be a key of a ConfigMap (IsConfigMapKey).
func isConfigKey(s string) bool {
	if len(s) == 0 || len(s) > 253 || s == "." || strings.HasPrefix(s, "..") {
		return false
	}
	for i := range len(s) {
		if !isAlnum(s[i]) && s[i] != '-' && s[i] != '_' && s[i] != '.' {
			return false
		}
	}
	return true
}

// isVariable reports whether s may be the name of an environment variable: printable ASCII but '='
// (IsRelaxedEnvVarName). The API server has no limit on its length; nothing that is read for what
// it is called is longer than this.
func isVariable(s string) bool {
	if len(s) == 0 || len(s) > 253 {
		return false
	}
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' || s[i] == '=' {
			return false
		}
	}
	return true
}
