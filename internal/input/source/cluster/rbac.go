package cluster

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/toolmoat/toolmoat/internal/input/source"
)

// RBAC returns, as YAML to apply, a service account with the least that [Client.Load] needs: to
// list what is judged in all namespaces or, if there are some, in these. Comments say what a role
// in namespaces cannot give. For all namespaces, roles to read also are added.
func RBAC(namespaces []string, also []source.Resource) []byte {
	var b bytes.Buffer
	b.WriteString("# What toolmoat --cluster reads: it changes nothing, and reads no Secrets.\n" +
		"# Bind the role to your own user or group instead of the service account if toolmoat runs with your kubeconfig.\n")
	wanted := source.Wanted(source.Readable(), namespaces)
	if namespaces == nil {
		serviceAccount(&b, "default")
		document(&b, "ClusterRole", "toolmoat", "")
		rules(&b, wanted)
		binding(&b, "ClusterRole", "toolmoat", "", "default")
		b.WriteString("---\n# What tells the network plugin, DNS and address ranges. It may be left out: answers then allow for all that may be.\n")
		roles(&b, also)
		return b.Bytes()
	}
	b.WriteString("#\n# It takes more than these roles to read what follows, which may be about pods of any namespace. What the cluster has of it\n" +
		"# is named, and what it could change counts as unknown:\n")
	homes := slices.Clone(namespaces)
	for _, s := range wanted {
		switch {
		case s.Name != "" && s.Namespace != "" && !slices.Contains(homes, s.Namespace):
			homes = append(homes, s.Namespace)
		case s.Name == "" && s.Namespace == "":
			fmt.Fprintf(&b, "#   %s\n", s)
		case s.Name == "" && !slices.Contains(namespaces, s.Namespace):
			fmt.Fprintf(&b, "#   %s in namespace %s\n", s, s.Namespace)
		}
	}
	serviceAccount(&b, namespaces[0])
	for _, namespace := range homes {
		document(&b, "Role", "toolmoat", namespace)
		rules(&b, slices.DeleteFunc(slices.Clone(wanted), func(s source.Served) bool {
			return s.Namespace != namespace && (s.Namespace != "" || s.Name != namespace)
		}))
		binding(&b, "Role", "toolmoat", namespace, namespaces[0])
	}
	return b.Bytes()
}

// RBACFor returns, as YAML to apply, a service account with the least that [Client.Fetch] needs to
// read resources.
func RBACFor(resources []source.Resource) []byte {
	var b bytes.Buffer
	b.WriteString("# What toolmoat cidrs cluster reads: it changes nothing, and reads no Secrets.\n" +
		"# Bind the roles to your own user or group instead of the service account if toolmoat runs with your kubeconfig.\n")
	serviceAccount(&b, "default")
	roles(&b, resources)
	return b.Bytes()
}

// roles writes a role for each namespace that resources are of, and one for the rest, for the
// service account in the namespace default.
func roles(b *bytes.Buffer, resources []source.Resource) {
	const name = "toolmoat-cidrs"
	byHome := map[string][]source.Served{}
	for _, r := range resources {
		byHome[r.Namespace] = append(byHome[r.Namespace], source.Served{Resource: r})
	}
	for _, home := range slices.Sorted(maps.Keys(byHome)) {
		role := "Role"
		if home == "" {
			role = "ClusterRole"
		}
		document(b, role, name, home)
		rules(b, byHome[home])
		binding(b, role, name, home, "default")
	}
}

func serviceAccount(b *bytes.Buffer, namespace string) {
	fmt.Fprintf(b, "apiVersion: v1\nkind: ServiceAccount\nmetadata:\n  name: toolmoat\n  namespace: %s\n", quoted(namespace))
}

func document(b *bytes.Buffer, kind, name, namespace string) {
	fmt.Fprintf(b, "---\napiVersion: rbac.authorization.k8s.io/v1\nkind: %s\nmetadata:\n  name: %s\n", kind, name)
	if namespace != "" {
		fmt.Fprintf(b, "  namespace: %s\n", quoted(namespace))
	}
}

// rules writes a rule for each group, in whose order list is, and one for each object that is read
// by its name.
func rules(b *bytes.Buffer, list []source.Served) {
	b.WriteString("rules:\n")
	for i := 0; i < len(list); i++ {
		fmt.Fprintf(b, "  - apiGroups: [%s]\n    resources: [%s", quoted(list[i].Group), list[i].Plural)
		if list[i].Name != "" {
			fmt.Fprintf(b, "]\n    resourceNames: [%s]\n    verbs: [get]\n", quoted(list[i].Name))
			continue
		}
		for ; i+1 < len(list) && list[i+1].Group == list[i].Group && list[i+1].Name == ""; i++ {
			b.WriteString(", " + list[i+1].Plural)
		}
		b.WriteString("]\n    verbs: [list]\n")
	}
}

func binding(b *bytes.Buffer, role, name, namespace, account string) {
	document(b, role+"Binding", name, namespace)
	fmt.Fprintf(b, "roleRef:\n  apiGroup: rbac.authorization.k8s.io\n  kind: %s\n  name: %s\nsubjects:\n  - kind: ServiceAccount\n    name: toolmoat\n    namespace: %s\n", role, name, quoted(account))
}

// quoted returns a name as YAML: what comes from the command line may be anything.
func quoted(name string) string {
	text, _ := json.Marshal(name) // a string is always JSON, and JSON is YAML
	return string(text)
}
