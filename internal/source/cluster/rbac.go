package cluster

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/toolmoat/toolmoat/internal/source"
)

// RBAC returns, as YAML to apply, a service account with the least that [Client.Load] needs: to list what is judged in all namespaces or, if there are
// some, in these. Comments say what a role in namespaces cannot give.
func RBAC(namespaces []string) []byte {
	var b bytes.Buffer
	b.WriteString("# What toolmoat --cluster reads: it lists, and changes nothing. It reads no Secrets and no ConfigMaps.\n" +
		"# Bind the role to your own user or group instead of the service account if toolmoat runs with your kubeconfig.\n")
	wanted := source.Wanted(source.Readable(), namespaces)
	if namespaces == nil {
		account(&b, "default")
		document(&b, "ClusterRole", "")
		rules(&b, wanted)
		binding(&b, "ClusterRole", "", "default")
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
	account(&b, namespaces[0])
	for _, namespace := range homes {
		document(&b, "Role", namespace)
		rules(&b, slices.DeleteFunc(slices.Clone(wanted), func(s source.Served) bool {
			return s.Namespace != namespace && (s.Namespace != "" || s.Name != namespace)
		}))
		binding(&b, "Role", namespace, namespaces[0])
	}
	return b.Bytes()
}

func account(b *bytes.Buffer, namespace string) {
	fmt.Fprintf(b, "apiVersion: v1\nkind: ServiceAccount\nmetadata:\n  name: toolmoat\n  namespace: %s\n", quoted(namespace))
}

func document(b *bytes.Buffer, kind, namespace string) {
	fmt.Fprintf(b, "---\napiVersion: rbac.authorization.k8s.io/v1\nkind: %s\nmetadata:\n  name: toolmoat\n", kind)
	if namespace != "" {
		fmt.Fprintf(b, "  namespace: %s\n", quoted(namespace))
	}
}

// rules writes a rule for each group, in whose order list is, and one for each object that is read by its name.
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

func binding(b *bytes.Buffer, role, namespace, account string) {
	document(b, role+"Binding", namespace)
	fmt.Fprintf(b, "roleRef:\n  apiGroup: rbac.authorization.k8s.io\n  kind: %s\n  name: toolmoat\nsubjects:\n  - kind: ServiceAccount\n    name: toolmoat\n    namespace: %s\n", role, quoted(account))
}

// quoted returns a name as YAML: what comes from the command line may be anything.
func quoted(name string) string {
	text, _ := json.Marshal(name) // a string is always JSON, and JSON is YAML
	return string(text)
}
