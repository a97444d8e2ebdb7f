package rule

import "github.com/toolmoat/toolmoat/internal/engine/finding"

// inputRules document what leaves an answer incomplete. Reading the input reports them, as
// problems.
var inputRules = []Rule{
	incomplete("TM901", "Cannot be read", "A file or document that cannot be read may hold a policy or a server. Whatever it could change is answered \"unknown\".",
		"broken YAML, a Helm template, a symbolic link that leaves the folder", "plain YAML or JSON; render charts first"),
	incomplete("TM902", "Invalid", "The API server would refuse the object, so it is not what the author believes it is: a misspelt policy protects nothing.",
		"ingres:, policyTypes: [egress], an except outside its cidr, endPort without port", "what kubectl apply accepts"),
	incomplete("TM903", "A policy that is not judged", "Policies of this kind can allow or deny, and this version does not judge them: everything in their scope is answered \"unknown\".",
		"a policy kind of another API group", "policies of judged kinds, or --allow-incomplete with that in mind"),
	incomplete("TM904", "Conflicting duplicates", "Two different objects have the same kind, namespace and name. Only one can exist, and nothing tells which.",
		"base and overlay in one folder", "one world at a time: point at the rendered output"),
	incomplete("TM905", "Not rendered", "A chart or kustomization says what the objects are only once it is rendered.",
		"a folder with Chart.yaml or kustomization.yaml", "helm template CHART | toolmoat audit -"),
	incomplete("TM906", "Not read from the cluster", "A list that the cluster refuses, or that -n leaves out, may hold policies and pods. Whatever they could change is answered \"unknown\".",
		"a role without list on networkpolicies", "the role that --print-rbac prints, and -A"),
	incomplete("TM907", "No MCP server found", "Nothing was judged. Either discovery does not know the server, or the path is wrong.",
		"a folder without MCP servers", "annotate the workload with toolmoat.dev/server: \"true\""),
}

func incomplete(id, title, why, bad, good string) Rule {
	return Rule{ID: id, Title: title, Severity: finding.Incomplete, Why: why, Bad: bad, Good: good, Since: "0.1"}
}
