package report

import (
	"encoding/json"
	"io"
)

// Context is what a command says of one of several clusters.
type Context struct {
	Name   string
	Result json.RawMessage
}

// ContextHeading is the heading of one of several reports.
func ContextHeading(name string, first bool) Document {
	doc := Document{Heading{Text: "context " + name}}
	if !first {
		return append(Document{Heading{}}, doc...)
	}
	return doc
}

// ContextsJSON writes what a command says of several clusters as one object:
// {"schema":"toolmoat.dev/COMMAND-contexts/v1","contexts":[{"context":NAME, COMMAND:{...}}]}, in
// the order in which they were asked for.
func ContextsJSON(w io.Writer, command string, contexts []Context) error {
	type object = map[string]any // written sorted by key
	all := make([]object, len(contexts))
	for i, c := range contexts {
		all[i] = object{"context": c.Name, command: c.Result}
	}
	return JSON(w, struct {
		Schema   string   `json:"schema"`
		Contexts []object `json:"contexts"`
	}{"toolmoat.dev/" + command + "-contexts/v1", all})
}
