package rule

// pluginRules judge what a plugin does whatever the policies say, or does otherwise than they say.
var pluginRules = []Rule{}
