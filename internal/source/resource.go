package source

// Resource names objects of the Kubernetes API.
type Resource struct {
	Group, Version, Plural string
	Namespace, Name        string // "" for all
}
