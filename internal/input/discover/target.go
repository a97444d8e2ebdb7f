package discover

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/toolmoat/toolmoat/internal/engine/netset"
)

// target is a host and a port (0 if nothing tells).
type target struct {
	host string
	port netset.Port
}

// schemePorts are the ports that URL schemes and connection strings imply, by IANA's registry and
// the products' documentation. A scheme with 0 names a host and implies no port.
var schemePorts = map[string]netset.Port{
	"http": 80, "https": 443, "ws": 80, "wss": 443, "grpc": 0, "grpcs": 443, "tcp": 0, "ssh": 22, "ftp": 21, "ldap": 389, "ldaps": 636, "smtp": 25, "smtps": 465,
	"postgres": 5432, "postgresql": 5432, "pg": 5432, "mysql": 3306, "mariadb": 3306, "mssql": 1433, "sqlserver": 1433, "oracle": 1521, "cockroachdb": 26257, "crdb": 26257,
	"redis": 6379, "rediss": 6379, "valkey": 6379, "mongodb": 27017, "mongo": 27017, "amqp": 5672, "amqps": 5671, "rabbitmq": 5672, "nats": 4222, "kafka": 9092, "mqtt": 1883,
	"neo4j": 7687, "bolt": 7687, "clickhouse": 9000, "memcached": 11211, "couchbase": 11210, "couchbases": 11207, "cassandra": 9042, "elasticsearch": 9200, "opensearch": 9200,
	"milvus": 19530, "qdrant": 6333, "socks5": 1080,
}

// portOf returns the port of a scheme, which may carry a driver ("postgresql+asyncpg") or a variant
// ("git+https").
func portOf(scheme string) (port netset.Port, known bool) {
	first, last, _ := strings.Cut(scheme, "+")
	for _, s := range []string{scheme, first, last} {
		if port, known = schemePorts[s]; known {
			return port, true
		}
	}
	return 0, false
}

// portByName returns the port that a word of a variable's name implies: 6379 for CACHE_REDIS_HOST.
func portByName(name string) netset.Port {
	for _, word := range tokens(strings.ReplaceAll(name, "_", "-")) {
		if port := schemePorts[word]; word != "http" && word != "https" && port != 0 {
			return port
		}
	}
	return 0
}

// targets reads the hosts of a URL, a connection string or, where bare is set, of a plain
// "host[:port]" list. fallback is the port where neither the value nor its scheme names one.
// unresolved says that there is a destination which cannot be read.
//
// Values may hold passwords with any character in them. Where it is not certain what is host and
// what is password the value is unresolved.
func targets(value string, fallback netset.Port, bare bool) (found []target, unresolved bool) {
	value = strings.Trim(strings.TrimSpace(value), `"'`)
	if value == "" || len(value) > maxScript {
		return nil, false
	}
	if scheme, rest, ok := strings.Cut(strings.TrimPrefix(value, "jdbc:"), "://"); ok {
		return urlTargets(strings.ToLower(scheme), rest, fallback, bare)
	}
	switch {
	case !bare:
		return nil, false
	case isTemplate(value):
		return nil, true
	case strings.ContainsAny(value, "=;({"):
		return dsnTargets(value, fallback)
	}
	return list(value, fallback)
}

// urlTargets reads what follows "scheme://".
func urlTargets(scheme, rest string, fallback netset.Port, bare bool) ([]target, bool) {
	port, known := portOf(scheme)
	if !known && (!bare || slices.Contains([]string{"file", "sqlite", "unix", "s3", "gs", "duckdb"}, scheme)) {
		return nil, false
	}
	if port == 0 {
		port = fallback
	}
	end := strings.IndexAny(rest, "/?#;")
	if end < 0 {
		end = len(rest)
	}
	authority, tail := rest[:end], rest[end:]
	if _, host, ok := cutLast(authority, "@"); ok {
		authority = host
	} else if strings.Contains(tail, "@") {
		// "https://host/@scope" or "postgres://user:pass/word@host"?
		if !strings.HasPrefix(scheme, "http") || strings.Contains(authority, ":") || !strings.Contains(authority, ".") {
			return nil, true
		}
	}
	if isTemplate(authority) {
		return nil, true
	}
	if strings.HasSuffix(scheme, "+srv") {
		// An SRV record names hosts below the same domain and their ports (MongoDB's "Initial DNS
		// Seedlist Discovery").
		if _, domain, ok := strings.Cut(strings.ToLower(authority), "."); ok && isHost(domain) {
			return []target{{"*." + domain, 0}}, false
		}
		return nil, true
	}
	if authority == "" {
		return nil, false // "file:///x", "mysql:///?socket=..."
	}
	return list(authority, port)
}

// dsnTargets reads the hosts of "host=db port=5432", of "Server=tcp:db,1433;..." and of
// "user:pass@tcp(db:3306)/name".
func dsnTargets(value string, fallback netset.Port) ([]target, bool) {
	if _, rest, ok := cutLast(value, "@tcp("); ok {
		inner, _, _ := strings.Cut(rest, ")")
		return list(inner, either(fallback, 3306))
	}
	var hosts string
	for _, field := range strings.FieldsFunc(value, func(r rune) bool { return r == ' ' || r == ';' }) {
		key, v, _ := strings.Cut(field, "=")
		switch strings.ToLower(strings.TrimSpace(key)) {
		case "host", "hostaddr", "server", "address", "addr":
			hosts = strings.ReplaceAll(strings.TrimPrefix(strings.ToLower(strings.Trim(v, `'"`)), "tcp:"), ",", ":")
		case "port":
			fallback = either(parsePort(strings.Trim(v, `'"`)), fallback)
		}
	}
	if hosts == "" || strings.HasPrefix(hosts, "/") {
		return nil, false
	}
	return list(hosts, fallback)
}

func either(a, b netset.Port) netset.Port {
	if a != 0 {
		return a
	}
	return b
}

// list reads "host[:port],host[:port]".
func list(text string, fallback netset.Port) (found []target, unresolved bool) {
	for part := range strings.SplitSeq(text, ",") {
		part = strings.TrimSpace(part)
		host, port := part, fallback
		if a, err := netip.ParseAddr(part); err == nil {
			host = a.WithZone("").String()
		} else if inner, after, ok := strings.Cut(strings.TrimPrefix(part, "["), "]"); ok && strings.HasPrefix(part, "[") {
			host = inner
			port = either(parsePort(strings.TrimPrefix(after, ":")), fallback)
		} else if before, after, ok := strings.Cut(part, ":"); ok {
			host = before
			switch {
			case isTemplate(after):
				port = 0
			case parsePort(after) == 0 && after != "":
				return nil, true // not "host:port": it may be "user:password"
			default:
				port = either(parsePort(after), fallback)
			}
		}
		host = strings.TrimSuffix(strings.ToLower(host), ".")
		switch {
		case isTemplate(host):
			unresolved = true
		case isHost(host):
			found = append(found, target{host, port})
		}
	}
	return found, unresolved
}

// isHost reports whether host is an address or a DNS name (underscores too, as resolvers take
// them), and no mere word or number.
func isHost(host string) bool {
	if _, err := netip.ParseAddr(host); err == nil {
		return true
	}
	if host == "" || len(host) > 253 || slices.Contains([]string{"true", "false", "yes", "no", "on", "off", "none", "auto", "null"}, host) {
		return false
	}
	letter := false
	for label := range strings.SplitSeq(host, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for i := range len(label) {
			switch c := label[i]; {
			case c >= 'a' && c <= 'z':
				letter = true
			case c >= '0' && c <= '9', c == '-', c == '_':
			default:
				return false
			}
		}
	}
	return letter
}

// isTemplate reports whether text holds something that is filled in later.
func isTemplate(text string) bool {
	return strings.Contains(text, "$") || strings.Contains(text, "{{") || strings.ContainsAny(text, "<>%")
}

// maxValue is how much of a value is kept after substitution, in bytes: hosts stand at the front.
const maxValue = 4 << 10

// substitute replaces references to other variables of the container, "$(X)", as the kubelet does,
// one level deep.
func substitute(value string, values map[string]string) string {
	if !strings.Contains(value, "$(") {
		return value
	}
	var b strings.Builder
	for {
		before, rest, ok := strings.Cut(value, "$(")
		b.WriteString(before)
		name, after, closed := strings.Cut(rest, ")")
		switch known, set := values[name]; {
		case !ok:
			return b.String()
		case !closed || b.Len() > maxValue:
			return b.String() + "$(" + rest
		case set && len(known) <= maxValue:
			b.WriteString(known)
		default:
			b.WriteString("$(" + name + ")")
		}
		value = after
	}
}

func parsePort(text string) netset.Port {
	n, err := strconv.ParseUint(strings.TrimSpace(text), 10, 16)
	if err != nil {
		return 0
	}
	return netset.Port(n)
}
