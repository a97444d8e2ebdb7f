package source

import (
	"slices"
	"strings"

	"github.com/toolmoat/toolmoat/internal/engine/model"
	"github.com/toolmoat/toolmoat/internal/input/doc"
)

// networkCapabilities are the capabilities that let a process past what policies hold
// (capabilities(7)); the others do not. ALL is every one of them.
var networkCapabilities = []string{"ALL", "NET_ADMIN", "NET_RAW", "SYS_ADMIN", "SYS_MODULE"}

// readPowers reads what a pod's spec lets its processes do past network policy. What cannot be read
// counts, and says so.
func readPowers(c *doc.Cursor) []model.Power {
	var out []model.Power
	flag := func(c *doc.Cursor, p model.Power) {
		before := c.Problems()
		on := c.Bool()
		if p.Unread, p.Origin.Line = c.Problems() > before, c.Line(); on || p.Unread {
			out = append(out, p)
		}
	}
	flag(c.Field("hostPID"), model.Power{Name: "hostPID"})
	flag(c.Field("hostIPC"), model.Power{Name: "hostIPC"})
	flag(c.At("securityContext", "windowsOptions", "hostProcess"), model.Power{Name: "hostProcess"})
	for _, list := range []string{"initContainers", "containers", "ephemeralContainers"} {
		for _, item := range c.Field(list).Items() {
			of := model.Power{Container: readName(item.Field("name"), labelForm)}
			of.Init = list == "initContainers" && item.Field("restartPolicy").Text() != "Always"
			as := func(name string) model.Power {
				of.Name = name
				return of
			}
			context := item.Field("securityContext")
			flag(context.Field("privileged"), as("privileged"))
			flag(context.At("windowsOptions", "hostProcess"), as("hostProcess"))
			for _, added := range context.At("capabilities", "add").Items() {
				before := added.Problems()
				// Runtimes take them in any case, and some with the prefix that Linux gives them.
				p := as(strings.TrimPrefix(strings.ToUpper(added.Text()), "CAP_"))
				p.Origin.Line = added.Line()
				if p.Unread = added.Problems() > before; p.Unread {
					p.Name = "ALL"
				}
				if slices.Contains(networkCapabilities, p.Name) {
					out = append(out, p)
				}
			}
		}
	}
	return out
}
