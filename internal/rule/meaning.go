package rule

// meaningRules judge policies that do not mean what they look like, on some plugin or on all.
var meaningRules = []Rule{}
