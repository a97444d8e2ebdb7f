package feeds

// All lists every feed. Sources are documentation pages, and public code where a page does not show
// the form.
var All = []Feed{
	{
		Name: "github", Title: "GitHub", URL: "https://api.github.com/meta", Page: "https://docs.github.com/en/rest/meta/meta",
		Fresh: "ETag; the API is to be asked each time", Direction: Both, decode: tree("", false),
		Sections: directions(To, "api", "web", "git", "packages", "pages", "copilot").and(From, "hooks", "actions", "actions_macos", "codespaces", "dependabot",
			"importer", "github_enterprise_importer"),
		Note:   "api and web also serve what any user has uploaded, and actions is thousands of ranges in which anybody can run code.",
		Source: "docs.github.com, REST API endpoints for meta data",
	},
	{
		Name: "aws", Title: "Amazon Web Services", URL: "https://ip-ranges.amazonaws.com/ip-ranges.json",
		Page: "https://docs.aws.amazon.com/vpc/latest/userguide/aws-ip-ranges.html", Fresh: "syncToken, ETag", Direction: Both, decode: decodeAWS,
		Shared: "Anybody can rent machines and buckets in most of these ranges.",
		Note:   "Sections are service/region: aws/ec2/us-east-1. The service amazon holds all others.",
		Source: "docs.aws.amazon.com, AWS IP address ranges JSON file: syntax",
	},
	{
		Name: "google/all", Title: "Google, services and customers", URL: "https://www.gstatic.com/ipranges/goog.json",
		Page: "https://support.google.com/a/answer/10026322", Fresh: "syncToken", Direction: Both, decode: decodeGoogle,
		Shared: "Anybody can rent machines in the part that is Google Cloud.", Source: "goog.json, as quoted in jonhadfield/ip-fetcher providers/google",
	},
	{
		Name: "google/cloud", Title: "Google Cloud customers", URL: "https://www.gstatic.com/ipranges/cloud.json",
		Page: "https://support.google.com/a/answer/10026322", Fresh: "syncToken", Direction: Both, decode: decodeGoogle,
		Shared: "Anybody can rent machines in these ranges.", Note: "Sections are scopes: google/cloud/us-east1.",
		Source: "cloud.json, as quoted in jonhadfield/ip-fetcher providers/gcp",
	},
	{
		Name: "google/private", Title: "private and restricted.googleapis.com", Page: "https://cloud.google.com/vpc/docs/configure-private-google-access",
		Direction: To, Note: "Not confirmed: read from public Terraform modules, not from Google's page. Routed inside Google Cloud only.",
		Source: "public Terraform modules that route 199.36.153.4/30 and 199.36.153.8/30",
	},
	{
		Name: "azure", Title: "Azure service tags", Page: "https://www.microsoft.com/en-us/download/details.aspx?id=56519", Fresh: "changeNumber, each week",
		Direction: Both, decode: decodeAzure, Shared: "Anybody can rent machines in AzureCloud.",
		Note:   "Its address changes each week: download it from the page, then toolmoat feeds update azure --from-file FILE.",
		Source: "learn.microsoft.com, Service Tags - List",
	},
	{
		Name: "cloudflare", Title: "Cloudflare", URL: "https://api.cloudflare.com/client/v4/ips", Page: "https://www.cloudflare.com/ips/", Fresh: "etag",
		Direction: Both, decode: decodeCloudflare, Shared: "A shared CDN: to allow it is to allow everyone behind it.", Source: "public code that reads the API's result",
	},
	{
		Name: "fastly", Title: "Fastly", URL: "https://api.fastly.com/public-ip-list", Page: "https://www.fastly.com/documentation/reference/api/utils/public-ip-list/",
		Direction: Both, decode: tree("", true), Shared: "A shared CDN: to allow it is to allow everyone behind it.", Source: "public code that reads the API's result",
	},
	{
		Name: "atlassian", Title: "Atlassian cloud", URL: "https://ip-ranges.atlassian.com/",
		Page: "https://support.atlassian.com/organization-administration/docs/ip-addresses-and-domains-for-atlassian-cloud-products/", Fresh: "syncToken",
		Direction: Both, Sections: directions(To, "ingress").and(From, "egress"), decode: decodeAtlassian,
		Note: "Sections are direction/product: atlassian/ingress/jira. Directions are Atlassian's own: egress is what connects to you. " +
			"Regions are left out, as Atlassian advises against filtering by them.",
		Source: "jira.atlassian.com ACCESS-1771; jonhadfield/ip-fetcher providers/atlassian",
	},
	{
		Name: "okta", Title: "Okta", URL: "https://s3.amazonaws.com/okta-ip-ranges/ip_ranges.json", Page: "https://help.okta.com/en-us/content/topics/security/ip-address-allow-listing.htm",
		Direction: Both, decode: decodeOkta, Note: "Sections are cells: okta/us_cell_1. Take your own.", Source: "jonhadfield/ip-fetcher providers/okta; oapicf/openapi-okta-ip-ranges",
	},
	stripe("api", To, "API requests"), stripe("webhooks", From, "webhooks"), stripe("armada_gator", To, "files and other services"),
	datadog("datadog", "datadoghq.com"), datadog("datadog-eu", "datadoghq.eu"),
	{
		Name: "sentry", Title: "Sentry", URL: "https://docs.sentry.io/api/ip-ranges", Page: "https://docs.sentry.io/security-legal-pii/security/ip-ranges/",
		Direction: Both, Sections: directions(To, "dashboard", "event_ingestion").and(From, "outbound_requests", "email_delivery", "uptime_monitoring"),
		decode: tree("data", false), Source: "getsentry/sentry-docs app/api/ip-ranges/ip-ranges.json",
	},
	{
		Name: "pagerduty/us", Title: "PagerDuty webhooks, US", URL: "https://developer.pagerduty.com/ip-safelists/webhooks-us-service-region-json",
		Page: "https://developer.pagerduty.com/docs/webhook-ips", Direction: From, decode: tree("", true), Note: pagerdutyNote, Source: pagerdutySource,
	},
	{
		Name: "pagerduty/eu", Title: "PagerDuty webhooks, EU", URL: "https://developer.pagerduty.com/ip-safelists/webhooks-eu-service-region-json",
		Page: "https://developer.pagerduty.com/docs/webhook-ips", Direction: From, decode: tree("", true), Note: pagerdutyNote, Source: pagerdutySource,
	},
	zscaler("zscaler.net"), zscaler("zscalerone.net"), zscaler("zscalertwo.net"), zscaler("zscalerthree.net"), zscaler("zscloud.net"),
	openai("connectors", "chatgpt-connectors.json", "plugins, connectors and GPT Actions: what calls an MCP server"),
	openai("agents", "chatgpt-agents.json", "Codex cloud"), openai("user", "chatgpt-user.json", "browsing for a user"), openai("gptbot", "gptbot.json", "crawler"),
	{
		Name: "anthropic", Title: "Anthropic", Page: "https://platform.claude.com/docs/en/api/ip-addresses", Fresh: "will not change without notice", Direction: Both,
		Sections: directions(To, "inbound").and(From, "outbound").and(Retired, "retired"),
		Note:     "A page, no feed. outbound makes the MCP tool calls; retired is what the page tells to remove.", Source: "platform.claude.com, IP addresses",
	},
	{
		Name: "qoder", Title: "Qoder cloud agents", Page: "https://docs.qoder.com/cloud-agents/ip-addresses", Direction: From, Sections: directions(From, "global", "cn"),
		Note: "A page, no feed.", Source: "docs.qoder.com, cloud agents, IP addresses",
	},
	{
		Name: "slack", Title: "Slack", Direction: To, Note: "Publishes no ranges for its API: allow its host names, with a plugin that enforces names.",
		Source: "no feed is known; not confirmed by a page",
	},
	{
		Name: "hcp-terraform", Title: "HCP Terraform", URL: "https://app.terraform.io/api/meta/ip-ranges", Page: "https://developer.hashicorp.com/terraform/cloud-docs/api-docs/ip-ranges",
		Fresh: "Last-Modified", Direction: Both, Sections: directions(To, "api").and(From, "notifications", "sentinel", "vcs"), decode: tree("", false),
		Note: "Runs do not come from these ranges.", Source: "HCP Terraform documentation, IP Ranges API",
	},
	{
		Name: "circleci", Title: "CircleCI", URL: "https://circleci.com/docs/ip-ranges-list.json", Page: "https://circleci.com/docs/ip-ranges/", Direction: From,
		decode: tree("IPRanges", false), Note: "jobs are shared by all customers that use the feature.", Source: "jonhadfield/ip-fetcher providers/circleci",
	},
	{
		Name: "oracle", Title: "Oracle Cloud", URL: "https://docs.oracle.com/iaas/tools/public_ip_ranges.json",
		Page: "https://docs.oracle.com/en-us/iaas/Content/General/Concepts/addressranges.htm", Fresh: "last_updated_timestamp", Direction: Both, decode: decodeOracle,
		Shared: "Anybody can rent machines in these ranges.", Note: "Sections are region/tag: oracle/us-ashburn-1/osn.", Source: "jonhadfield/ip-fetcher providers/oci",
	},
}

const (
	pagerdutyNote   = "Webhooks only: the APIs are reached by host name."
	pagerdutySource = "PagerDuty/developer-docs docs/webhooks/11-Webhook-IPs.md"
)

func stripe(section string, d Direction, title string) Feed {
	return Feed{
		Name: "stripe/" + section, Title: "Stripe, " + title, URL: "https://stripe.com/files/ips/ips_" + section + ".json", Page: "https://docs.stripe.com/ips",
		Fresh: "changes are announced by mail 7 days before", Direction: d, decode: tree("", true),
		Note: "Stripe advises to use its host names.", Source: "docs.stripe.com/ips",
	}
}

func datadog(name, site string) Feed {
	return Feed{
		Name: name, Title: "Datadog, " + site, URL: "https://ip-ranges." + site + "/", Page: "https://docs.datadoghq.com/agent/configuration/network/",
		Fresh: "version", Direction: To, Sections: directions(From, "synthetics", "webhooks").and(Both, "global"), decode: decodeDatadog,
		Source: "DataDog/documentation, network traffic",
	}
}

func zscaler(cloud string) Feed {
	return Feed{
		Name: "zscaler/" + cloud, Title: "Zscaler hubs, " + cloud, URL: "https://config.zscaler.com/api/" + cloud + "/hubs/cidr/json/required",
		Page: "https://config.zscaler.com/" + cloud + "/hubs", Direction: Both, decode: decodeZscaler, Source: "Zscaler help; MISP/misp-warninglists",
	}
}

func openai(section, file, title string) Feed {
	return Feed{
		Name: "openai/" + section, Title: "OpenAI, " + title, URL: "https://openai.com/" + file, Page: "https://developers.openai.com/api/docs/guides/ip-addresses",
		Fresh: "creationTime; to be fetched regularly", Direction: From, decode: decodeGoogle,
		Note: "Shared by all who use it: no substitute for authentication.", Source: "developers.openai.com, IP addresses",
	}
}

// sectionList makes a list of sections by their directions.
type sectionList []Section

func directions(d Direction, names ...string) sectionList { return sectionList(nil).and(d, names...) }

func (l sectionList) and(d Direction, names ...string) sectionList {
	for _, n := range names {
		l = append(l, Section{n, d})
	}
	return l
}
