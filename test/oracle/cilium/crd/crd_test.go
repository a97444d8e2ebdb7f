package crd

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"

	crdsv2 "github.com/cilium/cilium/pkg/k8s/apis/cilium.io/client/crds/v2"
	ciliumv2 "github.com/cilium/cilium/pkg/k8s/apis/cilium.io/v2"
	"github.com/cilium/cilium/pkg/option"
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	"sigs.k8s.io/yaml"

	"github.com/toolmoat/toolmoat/internal/engine/cni"
	"github.com/toolmoat/toolmoat/internal/engine/policy"
	"github.com/toolmoat/toolmoat/internal/input/source"
)

var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

type object = map[string]any

// kind is one version of a kind, as its definition has it.
type kind struct {
	version, name string
	namespaced    bool
	root          *apiextensionsv1.JSONSchemaProps
	structural    *schema.Structural
	validator     validation.SchemaValidator
}

func kinds(t *testing.T) (out []kind) {
	t.Helper()
	for _, file := range []string{"ciliumnetworkpolicies", "ciliumclusterwidenetworkpolicies", "ciliumcidrgroups"} {
		text, err := crdsv2.EmbedFS.ReadFile(file + ".yaml")
		if err != nil {
			t.Fatal(err)
		}
		var crd apiextensionsv1.CustomResourceDefinition
		if err := yaml.Unmarshal(text, &crd); err != nil {
			t.Fatal(err)
		}
		for _, v := range crd.Spec.Versions {
			var internal apiextensions.CustomResourceValidation
			if err := apiextensionsv1.Convert_v1_CustomResourceValidation_To_apiextensions_CustomResourceValidation(v.Schema, &internal, nil); err != nil {
				t.Fatal(err)
			}
			structural, err := schema.NewStructural(internal.OpenAPIV3Schema)
			if err != nil {
				t.Fatal(err)
			}
			validator, _, err := validation.NewSchemaValidator(internal.OpenAPIV3Schema)
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, kind{v.Name, crd.Spec.Names.Kind, crd.Spec.Scope == apiextensionsv1.NamespaceScoped, v.Schema.OpenAPIV3Schema, structural, validator})
		}
	}
	return out
}

// takes says why Cilium takes no such object: its definition, then its own check.
func (k kind) takes(text []byte) error {
	var o object
	if err := json.Unmarshal(text, &o); err != nil {
		return err
	}
	if unknown := pruning.PruneWithOptions(o, k.structural, true, schema.UnknownFieldPathOptions{TrackUnknownFieldPaths: true}); unknown != nil {
		return fmt.Errorf("unknown fields %v", unknown)
	}
	defaulting.PruneNonNullableNullsWithoutDefaults(o, k.structural)
	if err := validation.ValidateCustomResource(nil, o, k.validator).ToAggregate(); err != nil {
		return err
	}
	text, err := json.Marshal(o)
	if err != nil {
		return err
	}
	switch decode := json.NewDecoder(bytes.NewReader(text)); k.name {
	case "CiliumNetworkPolicy":
		var p ciliumv2.CiliumNetworkPolicy
		if err = decode.Decode(&p); err == nil {
			_, err = p.Parse(quiet, "default")
		}
	case "CiliumClusterwideNetworkPolicy":
		var p ciliumv2.CiliumClusterwideNetworkPolicy
		if err = decode.Decode(&p); err == nil {
			_, err = p.Parse(quiet, "default")
		}
	default:
		err = decode.Decode(&ciliumv2.CiliumCIDRGroup{})
	}
	return err
}

// weTake says why we take no such object, of Cilium 1.20.
func weTake(text []byte) error {
	s := source.LoadFiles(source.File{Name: "a.yaml", Data: text})
	for _, p := range s.Problems {
		return fmt.Errorf("%s %s", p.Rule, p.Message)
	}
	for _, p := range s.Policies {
		for _, r := range p.Rules {
			if r.Action == policy.Unjudged && slices.ContainsFunc(r.If, func(f policy.Fact) bool { return f.ID == cni.TakesOldForms.FactID() && f.Not }) {
				return fmt.Errorf("a form that Cilium 1.20 has dropped")
			}
		}
	}
	return nil
}

// leaf is a place in an object, and what its definition says of the value there.
type leaf struct {
	path []string // keys; "[]" for an item of a list
	is   *apiextensionsv1.JSONSchemaProps
}

func (l leaf) String() string { return strings.ReplaceAll(strings.Join(l.path, "."), ".[]", "[]") }

func leaves(path []string, s *apiextensionsv1.JSONSchemaProps, each func(leaf)) {
	each(leaf{slices.Clone(path), s})
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		child := s.Properties[name]
		leaves(append(path, name), &child, each)
	}
	if s.Items != nil && s.Items.Schema != nil {
		leaves(append(path, "[]"), s.Items.Schema, each)
	}
}

// good are values that are right wherever they stand, by key.
var good = map[string]any{
	"port": "80", "protocol": "TCP", "cidr": "10.0.0.0/8", "except": "10.1.0.0/16", "matchName": "a.b", "key": "a", "name": "a", "type": 8, "mode": "disabled",
	"serviceName": "a", "path": "/a", "endPort": 90, "selector": object{}, "kind": "CiliumClusterwideEnvoyConfig", "aws": object{"region": "x"}, "operator": "Exists",
}

// difference is a place, by how it ends, and a value at which we differ from Cilium for a reason.
type difference struct {
	kind, at string // "" for every kind
	value    any    // nil for every value
	why      string
}

var known = []difference{
	{"", "icmps[].fields[].family", nil, "null is the default here; ICMP is not judged"},
	{"", "k8sService.namespace", nil, "no namespace can be called so"},
	{"", "k8sService.serviceName", nil, "no Service can be called so"},
	{"", "k8sServiceSelector.namespace", nil, "no namespace can be called so"},
	{"", "k8sServiceSelector.selector.matchExpressions[].operator", nil, "Cilium does not check this selector; a list of values that is not there has no meaning"},
	{"", "k8sServiceSelector.selector.matchExpressions[].key", nil, "no label can be called so"},
	{"", "k8sServiceSelector.selector.matchExpressions[].values[]", nil, "no label can have that value"},
	{"CiliumClusterwideNetworkPolicy", "listener.envoyConfig.kind", nil, "refused when the policy is resolved (pkg/policy/l4.go, createL4Filter)"},
	{"CiliumClusterwideNetworkPolicy", "spec.nodeSelector.matchExpressions[].key", nil, "it is about nodes, of which nothing is said"},
	{"", "matchExpressions[].key", strings.Repeat("a", 63), "too long up to Cilium 1.19, which puts a source before it"},
	{"", "cidrGroupSelector.matchExpressions[].key", "k8s:a", "labels of groups have another source"},
}

// never20 are parts of places at which Cilium 1.20 takes no value.
var never20 = []string{"Requires[]", "ingress[].toPorts[].listener", "ingress[].toPorts[].rules.dns", "CiliumNetworkPolicy spec.nodeSelector"}

// build makes an object of a schema in which value stands at path. What is required beside it is
// filled in.
func build(name string, s *apiextensionsv1.JSONSchemaProps, path []string, value any) any {
	if len(path) == 0 {
		return value
	}
	if path[0] == "[]" {
		return []any{build(name, s.Items.Schema, path[1:], value)}
	}
	child := s.Properties[path[0]]
	out := fill(name, s, path[0])
	out[path[0]] = build(path[0], &child, path[1:], value)
	if _, ok := s.Properties["rules"]; ok && path[0] != "ports" && s.Properties["ports"].Items != nil { // an item of toPorts
		out["ports"] = []any{object{"port": "53", "protocol": "TCP"}}
		if path[0] == "serverNames" || path[0] == "terminatingTLS" || path[0] == "originatingTLS" {
			out["terminatingTLS"] = object{"secret": object{"name": "a"}}
			out[path[0]] = build(path[0], &child, path[1:], value)
		}
	}
	switch path[0] {
	case "except":
		out["cidr"] = "10.0.0.0/8"
	case "values":
		out["operator"] = "In"
	}
	return out
}

// fill is the keys that an object must have beside one.
func fill(name string, s *apiextensionsv1.JSONSchemaProps, beside string) object {
	out := object{}
	for _, key := range s.Required {
		if child := s.Properties[key]; key != beside {
			out[key] = sample(key, &child)
		}
	}
	has := func(alternatives []apiextensionsv1.JSONSchemaProps) {
		if alternatives == nil || s.Properties == nil || slices.ContainsFunc(alternatives, func(a apiextensionsv1.JSONSchemaProps) bool { return slices.Contains(a.Required, beside) }) {
			return
		}
		for _, key := range alternatives[0].Required {
			child := s.Properties[key]
			out[key] = sample(key, &child)
		}
	}
	has(s.OneOf)
	has(s.AnyOf)
	return out
}

func sample(key string, s *apiextensionsv1.JSONSchemaProps) any {
	if v, ok := good[key]; ok {
		return v
	}
	switch s.Type {
	case "array":
		if s.Items.Schema.Type == "object" {
			return []any{fill(key, s.Items.Schema, "")}
		}
		return []any{sample(key, s.Items.Schema)}
	case "boolean":
		return true
	case "integer":
		return 1
	case "object":
		return fill(key, s, "")
	}
	return "a"
}

// texts are right at some places and wrong at others.
var texts = []string{
	"", "a", "A", "-a", "a-", "a_b", "a.b", "a.b.", "a..b", ".a", ".", "a b", "a/b", "*", "**", "*.a", "**.a", "a*b.c", "a.*", "*.", "[a]", "(", "GET", "/a", "0", "1", "53", "080", "65535", "65536", "70000", "99999", "-1", "0x50",
	"web", "WEB", "a--b", "8o", "k8s:a", "10.0.0.0/8", "10.0.0.1/8", "10.0.0.0", "10.0.0.0/33", "10.1.0.0/16", "10.0.0.0/7", "::/0", "fd00::/129", "EchoReply", "echoreply", "255", "256", "\u00e9", "\t",
	strings.Repeat("a", 32), strings.Repeat("a", 33), strings.Repeat("a", 63), strings.Repeat("a", 64), strings.Repeat("a", 253), strings.Repeat("a", 254), strings.Repeat("a", 255), strings.Repeat("a", 256),
}

// values are what is tried at a place.
func (l leaf) values() (out []any) {
	for _, e := range l.is.Enum {
		var v any
		if json.Unmarshal(e.Raw, &v) == nil {
			out = append(out, v)
			if text, ok := v.(string); ok {
				out = append(out, strings.ToLower(text), strings.ToUpper(text), text+"x")
			}
		}
	}
	for _, text := range texts {
		out = append(out, text)
	}
	for _, n := range []any{-1, 0, 1, 8, 99, 100, 101, 255, 256, 65535, 65536, true, false, nil, object{}, []any{}} {
		out = append(out, n)
	}
	return out
}

func TestDecoding(t *testing.T) {
	// What an option has to allow we take, on the condition that it does.
	option.Config.EnableNodeSelectorLabels, option.Config.EnableExtendedIPProtocols = true, true
	shown, met := map[string]bool{}, map[int]bool{}
	compared, taken, refused := 0, 0, 0
	for _, k := range kinds(t) {
		never := map[string]bool{}
		leaves(nil, k.root, func(l leaf) {
			if len(l.path) == 0 || l.path[0] != "spec" || len(l.is.Properties) > 0 || l.is.Items != nil {
				return
			}
			never[l.String()] = true
			for _, v := range l.values() {
				o := build("", k.root, l.path, v).(object)
				o["apiVersion"], o["kind"], o["metadata"] = "cilium.io/"+k.version, k.name, object{"name": "a"}
				if k.namespaced {
					o["metadata"] = object{"name": "a", "namespace": "b"}
				}
				delete(o, "status")
				if strings.HasPrefix(k.name, "CiliumN") || strings.HasPrefix(k.name, "CiliumClusterwide") {
					spec := o["spec"].(object)
					if spec["endpointSelector"] == nil && spec["nodeSelector"] == nil {
						spec["endpointSelector"] = object{}
					}
					if !slices.ContainsFunc([]string{"ingress", "ingressDeny", "egress", "egressDeny"}, func(list string) bool { return spec[list] != nil }) {
						spec["ingress"] = []any{object{}}
					}
				}
				text, err := json.Marshal(o)
				if err != nil {
					t.Fatal(err)
				}
				compared++
				theirs, ours := k.takes(text), weTake(text)
				if theirs == nil {
					taken++
					delete(never, l.String())
				} else {
					refused++
				}
				if (theirs == nil) == (ours == nil) {
					continue
				}
				if i := slices.IndexFunc(known, func(d difference) bool {
					return (d.kind == "" || d.kind == k.name) && strings.HasSuffix(l.String(), d.at) && (d.value == nil || d.value == v)
				}); i >= 0 {
					met[i] = true
					continue
				}
				if at := strings.NewReplacer("ingress", "*", "egress", "*", "Deny", "", "from", "*", "to", "*").Replace(k.name + " " + l.String()); !shown[at] {
					shown[at] = true
					t.Errorf("%s %s = %#v: Cilium says %v, we say %v\n%s", k.name, l, v, theirs, ours, text)
				}
			}
		})
		for at := range never {
			if !slices.ContainsFunc(never20, func(part string) bool { return strings.Contains(k.name+" "+at, part) }) {
				t.Errorf("%s: no value is taken at %s", k.name, at)
			}
		}
	}
	for i, d := range known {
		if !met[i] {
			t.Errorf("we no longer differ at %s: %s", d.at, d.why)
		}
	}
	if taken < 5000 || refused < 5000 {
		t.Errorf("%d objects, of which Cilium takes %d and refuses %d", compared, taken, refused)
	}
	// .ci/run asks for this line, with -v or without.
	fmt.Printf("oracle: %s: %d objects, of which Cilium takes %d and refuses %d; %d known differences\n", t.Name(), compared, taken, refused, len(known))
}
