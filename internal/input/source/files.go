package source

import (
	"github.com/toolmoat/toolmoat/internal/engine/finding"
	"github.com/toolmoat/toolmoat/internal/engine/origin"
	"github.com/toolmoat/toolmoat/internal/input/doc"
)

// Files returns the texts of everything that o names, undecoded, in order. Its error is as that of
// [Load]; what could not be read is a problem and no file.
func Files(o Options) ([]File, []finding.Problem, error) {
	in, err := o.inputs()
	defer in.close()
	if err != nil {
		return nil, nil, err
	}
	var files []File
	for _, f := range in.files {
		data, err := f.read()
		if err != nil {
			in.found.problem(ruleUnreadable, origin.Origin{File: f.name}, "cannot be read: "+doc.Clean(err.Error(), 80), "")
			continue
		}
		files = append(files, File{f.name, data})
	}
	in.found.finish(origin.Origin{})
	return files, in.found.problems, nil
}
