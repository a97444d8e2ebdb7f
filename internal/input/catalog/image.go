package catalog

import "strings"

// Image is an image reference in its parts.
type Image struct {
	Host   string // with port; "" if the reference names none
	Path   string // "owner/name", lower case, never empty
	Tag    string // "" if none
	Digest string // "sha256:..."; "" if none
}

// Base returns the last segment of the path.
func (i Image) Base() string { return i.Path[strings.LastIndexByte(i.Path, '/')+1:] }

// ParseImage splits host[:port]/path[:tag][@digest]. The first segment is a host if it has a dot or
// a colon, holds a capital or is "localhost" (github.com/distribution/reference). ok is false for
// what cannot be an image, such as a template that was not rendered.
func ParseImage(ref string) (image Image, ok bool) {
	if len(ref) > 1024 {
		return Image{}, false
	}
	ref, image.Digest, _ = strings.Cut(ref, "@")
	if host, rest, found := strings.Cut(ref, "/"); found &&
		(strings.ContainsAny(host, ".:") || host == "localhost" || strings.ToLower(host) != host) {
		image.Host, ref = host, rest
	}
	image.Path = ref
	if i := strings.LastIndexByte(ref, ':'); i > strings.LastIndexByte(ref, '/') {
		image.Path, image.Tag = ref[:i], ref[i+1:]
	}
	image.Path = strings.ToLower(image.Path)
	if !isPath(image.Path) {
		return Image{}, false
	}
	return image, true
}

// isPath reports whether path is segments of letters, digits, dots, dashes and underscores between
// slashes.
func isPath(path string) bool {
	empty := true
	for i := range len(path) {
		switch c := path[i]; {
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9', c == '.', c == '_', c == '-':
			empty = false
		case c == '/' && !empty:
			empty = true
		default:
			return false
		}
	}
	return !empty
}
