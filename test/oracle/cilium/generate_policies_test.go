package cilium

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

func (r *random) tag(d int, feature string) { r.says[d][feature] = true }

// keep files what the spec at hand is made of.
func (r *random) keep(namespace, name string, spec int) {
	number := ""
	if spec >= 0 {
		number = strconv.Itoa(spec)
	}
	r.c.features[namespace+"/"+name+"/"+number] = r.says
}

func (r *random) policy(name string) {
	r.says = [2]map[string]bool{{}, {}}
	meta := object{"name": name}
	ns := ""
	o := object{"apiVersion": "cilium.io/v2", "kind": "CiliumClusterwideNetworkPolicy", "metadata": meta}
	kind := r.IntN(10)
	if kind < 7 {
		ns = pick(r, namespaceNames...)
		meta["namespace"] = ns
		o["kind"] = "CiliumNetworkPolicy"
	}
	if kind < 2 {
		o["apiVersion"], o["kind"] = "networking.k8s.io/v1", "NetworkPolicy"
		o["spec"] = r.networkPolicy()
		r.keep(ns, name, -1)
		r.c.policies = append(r.c.policies, o)
		return
	}
	spec := func(number int) object {
		r.says = [2]map[string]bool{{}, {}}
		for d := range directions {
			r.tag(d, o["kind"].(string))
		}
		s := r.spec(ns)
		r.keep(ns, name, number)
		return s
	}
	if !r.chance(15) {
		o["spec"] = spec(0)
	}
	if _, ok := o["spec"]; !ok || r.chance(10) {
		var specs []object
		for i := range 1 + r.IntN(2) {
			specs = append(specs, spec(i+1))
			for d := range directions {
				r.tag(d, "specs")
			}
		}
		o["specs"] = specs
	}
	r.c.policies = append(r.c.policies, o)
}

func (r *random) spec(ns string) object {
	s := object{"endpointSelector": r.selector("", false)}
	for d, name := range directions {
		for _, deny := range []bool{false, true} {
			key, percent := name, 50
			if deny {
				key, percent = name+"Deny", 30
			}
			if r.chance(percent) {
				s[key] = some(r, 8, 2, func() object { return r.rule(d, deny) })
			}
		}
	}
	if len(list(s["ingress"]))+len(list(s["ingressDeny"]))+len(list(s["egress"]))+len(list(s["egressDeny"])) == 0 {
		s["egress"] = []object{r.rule(egress, false)}
	}
	if r.chance(25) {
		isolations := object{}
		for d, name := range directions {
			if r.chance(70) {
				isolations[name] = r.chance(50)
				r.tag(d, fmt.Sprintf("enableDefaultDeny %t", isolations[name]))
			}
		}
		s["enableDefaultDeny"] = isolations
	}
	return s
}

func list(v any) []object {
	l, _ := v.([]object)
	return l
}

// selector returns a selector of endpoints as Cilium has them, for peers also of reserved ones.
func (r *random) selector(feature string, peer bool) object {
	out := object{}
	match, expressions := object{}, []object{}
	say := func(text string) {
		if feature != "" {
			for d := range directions {
				if r.says[d]["at hand"] {
					r.tag(d, text)
				}
			}
		}
	}
	require := func(key, value string) {
		key = pick(r, "", "", "k8s:", "any:") + key
		switch r.IntN(6) {
		case 0:
			expressions = append(expressions, object{"key": key, "operator": "In", "values": []string{value, pick(r, values...)}})
		case 1:
			expressions = append(expressions, object{"key": key, "operator": "NotIn", "values": []string{value}})
		case 2:
			expressions = append(expressions, object{"key": key, "operator": pick(r, "Exists", "DoesNotExist")})
		default:
			if twin := strings.TrimPrefix(key, "any:"); match[twin] == nil && match["any:"+twin] == nil { // one of the two would be lost
				match[key] = value
			}
		}
		if len(expressions) > 0 {
			say("matchExpressions")
		}
	}
	if peer && r.chance(8) {
		match["reserved:"+pick(r, "host", "remote-node", "world", "kube-apiserver")] = ""
		say("reserved labels")
		out["matchLabels"] = match
		return out
	}
	for range r.IntN(3) {
		require(pick(r, podKeys...), pick(r, values...))
	}
	if r.chance(4) {
		require("pod-template-hash", pick(r, values...))
	}
	if r.chance(6) {
		require(accountKey, pick(r, "robot", "default"))
		say("service accounts")
	}
	if peer && r.chance(4) {
		require(clusterKey, pick(r, "default", "default", "other"))
		say("cluster names")
	}
	if peer && r.chance(35) {
		require(nsKey, pick(r, namespaceNames...))
		say("namespace key")
	}
	if peer && r.chance(20) {
		key := pick(r, "team", "tier", metaName)
		value := pick(r, values...)
		if key == metaName {
			value = pick(r, namespaceNames...)
		}
		require(nsLabels+key, value)
		say("namespace labels")
	}
	if len(match) > 0 || r.chance(10) {
		out["matchLabels"] = match
	}
	if len(expressions) > 0 {
		out["matchExpressions"] = expressions
	}
	return out
}

var entities = []string{"all", "world", "cluster", "host", "remote-node", "kube-apiserver", "init", "ingress", "unmanaged", "health", "none"}

// rule returns one rule of a direction.
func (r *random) rule(d int, deny bool) object {
	rule := object{}
	r.says[d]["at hand"] = true
	defer delete(r.says[d], "at hand")
	if deny {
		r.tag(d, "deny")
	} else {
		r.tag(d, "allow")
	}
	verb := pick(r, "from")
	if d == egress {
		verb = "to"
	}
	forms := []string{"", "Endpoints", "Endpoints", "Endpoints", "Entities", "Entities", "CIDR", "CIDRSet", "CIDRSet"}
	if d == egress && !deny {
		forms = append(forms, "FQDNs")
	}
	if d == egress && len(r.c.services) > 0 {
		forms = append(forms, "Services")
	}
	form := pick(r, forms...)
	if form != "" {
		r.tag(d, form)
	}
	const none = 4 // percent of lists that are empty, which match nothing
	empty := func(n int) {
		if n == 0 {
			r.tag(d, "empty "+form)
		}
	}
	switch form {
	case "Endpoints":
		l := some(r, none, 2, func() object { return r.selector(form, true) })
		rule[verb+form] = l
		empty(len(l))
	case "Entities":
		l := some(r, none, 2, func() string { return pick(r, append(entities[:6:6], entities...)...) })
		rule[verb+form] = l
		empty(len(l))
		for _, e := range l {
			r.tag(d, "entity "+e)
		}
	case "CIDR":
		l := some(r, none, 2, func() string { return r.prefix().String() })
		rule[verb+form] = l
		empty(len(l))
	case "CIDRSet":
		l := some(r, none, 2, func() object { return r.cidrRule(d) })
		rule[verb+form] = l
		empty(len(l))
	case "FQDNs":
		l := some(r, none, 2, func() object {
			return pick(r, object{"matchName": "api.example.com"}, object{"matchPattern": "*.example.com"}, object{"matchPattern": pick(r, "*", "**.example.com")}, object{"matchName": "www.example.net"})
		})
		rule["toFQDNs"] = l
		empty(len(l))
	case "Services":
		l := some(r, none, 2, func() object { return r.servicePeer(d) })
		rule["toServices"] = l
		empty(len(l))
	}
	switch n := r.IntN(20); {
	case n == 0:
		rule["icmps"] = []object{{"fields": []object{{"type": 8, "family": "IPv4"}}}}
		r.tag(d, "ICMP")
	case n < 10:
		rule["toPorts"] = some(r, 4, 2, func() object { return r.toPorts(d, deny) })
	}
	return rule
}

func (r *random) servicePeer(d int) object {
	svc := pick(r, r.c.services...)
	if r.chance(60) {
		o := object{"serviceName": svc.name, "namespace": svc.namespace}
		if r.chance(10) {
			o["serviceName"] = "absent"
			r.tag(d, "absent Service")
		}
		return object{"k8sService": o}
	}
	r.tag(d, "Services by labels")
	return object{"k8sServiceSelector": object{"namespace": svc.namespace, "selector": object{"matchLabels": object{pick(r, namespaceKeys...): pick(r, values...)}}}}
}

func (r *random) cidrRule(d int) object {
	out := object{}
	switch n := r.IntN(10); {
	case n < 2 && len(r.c.groups) > 0:
		out["cidrGroupRef"] = pick(r, r.c.groups...).name
		r.tag(d, "cidrGroupRef")
	case n == 2:
		out["cidrGroupRef"] = "absent"
		r.tag(d, "cidrGroupRef of none")
	case n == 3 && len(r.c.groups) > 0:
		out["cidrGroupSelector"] = object{"matchLabels": object{"net": pick(r, "x", "y")}}
		if r.chance(30) {
			out["cidrGroupSelector"] = object{"matchExpressions": []object{{"key": "net", "operator": "NotIn", "values": []string{"x"}}}}
		}
		r.tag(d, "cidrGroupSelector")
	default:
		p := r.prefix()
		out["cidr"] = p.String()
		if r.chance(60) {
			out["except"] = some(r, 10, 2, func() string { return r.within(p).String() })
			r.tag(d, "except")
		}
	}
	return out
}

func (r *random) toPorts(d int, deny bool) object {
	if !deny && r.chance(20) {
		return r.layer7(d)
	}
	return object{"ports": some(r, 4, 3, func() object {
		p := object{}
		if r.chance(75) {
			p["protocol"] = pick(r, "TCP", "TCP", "UDP", "SCTP", "ANY")
		}
		if p["protocol"] == nil || p["protocol"] == "ANY" {
			r.tag(d, "any protocol")
		}
		switch n := r.IntN(10); {
		case n < 2:
			p["port"] = pick(r, append(portNames, "nobody", "Web")...)
			r.tag(d, "named port")
		case n < 4:
			lo := pick(r, portNumbers...)
			hi := min(65535, lo+r.IntN(1+r.IntN(2000)))
			p["port"], p["endPort"] = strconv.Itoa(lo), hi
			r.ports = append(r.ports, lo-1, hi, hi+1)
			r.tag(d, "range")
		case n == 4:
			p["port"] = "0"
			r.tag(d, "port 0")
		default:
			p["port"] = strconv.Itoa(pick(r, portNumbers...))
			r.tag(d, "port")
		}
		return p
	})}
}

// layer7 returns ports with rules for a proxy. Those of different protocols keep to ports of their
// own: Cilium refuses to mix them.
func (r *random) layer7(d int) object {
	n := r.IntN(3)
	switch {
	case n == 0 && d == egress:
		r.tag(d, "DNS rules")
		return object{"ports": []object{{"port": "53", "protocol": pick(r, "UDP", "ANY", "TCP")}}, "rules": object{"dns": []object{{"matchPattern": pick(r, "*", "*.example.com")}}}}
	case n == 1:
		r.tag(d, "server names")
		return object{"ports": []object{{"port": "443", "protocol": "TCP"}}, "serverNames": []string{"api.example.com"}}
	}
	r.tag(d, "HTTP rules")
	rules := []object{{"method": "GET", "path": "/public"}}
	if r.chance(20) {
		rules = append(rules, object{})
	}
	return object{"ports": []object{{"port": strconv.Itoa(pick(r, 80, 8080)), "protocol": "TCP"}}, "rules": object{"http": rules}}
}

func (r *random) networkPolicy() object {
	for d := range directions {
		r.tag(d, "NetworkPolicy")
	}
	spec := object{"podSelector": r.plain(podKeys)}
	types := pick(r, []string{"Ingress", "Egress"}, []string{"Ingress", "Egress"}, []string{"Egress"}, []string{"Ingress"}, nil)
	if types != nil {
		spec["policyTypes"] = types
	}
	for d, name := range directions {
		untyped := types != nil && !slices.Contains(types, [...]string{"Ingress", "Egress"}[d])
		if r.chance(30) || untyped && r.chance(60) {
			continue
		}
		if untyped {
			r.tag(d, "rules that policyTypes leaves out")
		}
		r.says[d]["at hand"] = true
		verb := [...]string{"from", "to"}[d]
		spec[name] = some(r, 20, 2, func() object {
			rule := object{}
			if r.chance(80) {
				rule[verb] = some(r, 10, 2, func() object { return r.plainPeer(d) })
			}
			if r.chance(50) {
				rule["ports"] = some(r, 10, 2, func() object { return r.plainPort(d) })
			}
			return rule
		})
		delete(r.says[d], "at hand")
	}
	return spec
}

func (r *random) plain(keys []string) object {
	out := object{}
	if n := r.IntN(3); n == 0 {
		out["matchLabels"] = object{pick(r, keys...): pick(r, values...)}
	} else if n == 1 {
		e := object{"key": pick(r, keys...), "operator": pick(r, "In", "NotIn", "Exists", "DoesNotExist")}
		if e["operator"] == "In" || e["operator"] == "NotIn" {
			e["values"] = []string{pick(r, values...), pick(r, values...)}
		}
		out["matchExpressions"] = []object{e}
	}
	return out
}

func (r *random) plainPeer(d int) object {
	switch r.IntN(4) {
	case 0:
		return object{"podSelector": r.plain(podKeys)}
	case 1:
		return object{"namespaceSelector": r.plain(append(namespaceKeys, namespaceKeys...))}
	case 2:
		return object{"podSelector": r.plain(podKeys), "namespaceSelector": r.plain(namespaceKeys)}
	}
	r.tag(d, "ipBlock")
	p := r.prefix()
	block := object{"cidr": p.String()}
	if inside := r.within(p); inside.Bits() > p.Bits() && r.chance(60) {
		block["except"] = []string{inside.String()}
		r.tag(d, "except")
	}
	return object{"ipBlock": block}
}

func (r *random) plainPort(d int) object {
	p := object{}
	if r.chance(70) {
		p["protocol"] = pick(r, protocols...)
	}
	switch r.IntN(5) {
	case 0:
	case 1:
		p["port"] = pick(r, append(portNames, "nobody")...)
		r.tag(d, "named port of a NetworkPolicy")
	case 2:
		lo := pick(r, portNumbers...)
		p["port"], p["endPort"] = lo, min(65535, lo+r.IntN(2000))
		r.ports = append(r.ports, lo-1, p["endPort"].(int)+1)
	default:
		p["port"] = pick(r, portNumbers...)
	}
	return p
}
