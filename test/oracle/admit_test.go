package oracle

import (
	"context"
	"fmt"
	"testing"

	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/serializer/json"
	genericapirequest "k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/apiserver/pkg/registry/rest"
	utilfeature "k8s.io/apiserver/pkg/util/feature"
	"k8s.io/kubernetes/pkg/api/legacyscheme"
	"k8s.io/kubernetes/pkg/apis/networking"
	_ "k8s.io/kubernetes/pkg/apis/networking/install"
	"k8s.io/kubernetes/pkg/features"
	"k8s.io/kubernetes/pkg/registry/networking/networkpolicy"
	"sigs.k8s.io/yaml"
)

// strictness is how the API server reads addresses: since Kubernetes 1.36 it refuses new objects
// with CIDRs that have host bits, leading zeros or an IPv4 address inside IPv6, which older servers
// took and which stored objects may still hold.
type strictness bool

const (
	relaxed strictness = false
	strict  strictness = true
)

var strictDecoder = json.NewSerializerWithOptions(json.DefaultMetaFactory, legacyscheme.Scheme, legacyscheme.Scheme,
	json.SerializerOptions{Yaml: true, Strict: true})

// admit returns the NetworkPolicy in text as the API server would store it, or why it would refuse
// to: strict decoding, as kubectl asks for, defaulting, conversion and what its registry checks
// before an object is created.
func admit(t testing.TB, text []byte, how strictness) (*networkingv1.NetworkPolicy, error) {
	t.Helper()
	if utilfeature.DefaultFeatureGate.Enabled(features.StrictIPCIDRValidation) != bool(how) {
		if err := utilfeature.DefaultMutableFeatureGate.SetFromMap(map[string]bool{string(features.StrictIPCIDRValidation): bool(how)}); err != nil {
			t.Fatal(err)
		}
	}
	obj, _, err := strictDecoder.Decode(text, nil, nil)
	if err != nil {
		return nil, err
	}
	legacyscheme.Scheme.Default(obj)
	stored, ok := obj.(*networkingv1.NetworkPolicy)
	if !ok {
		return nil, fmt.Errorf("it is a %T", obj)
	}
	internal := &networking.NetworkPolicy{}
	if err := legacyscheme.Scheme.Convert(stored, internal, nil); err != nil {
		return nil, err
	}
	namespace := internal.Namespace
	if namespace == "" {
		namespace = metav1.NamespaceDefault
		internal.Namespace = namespace
	}
	rest.FillObjectMetaSystemFields(internal)
	ctx := genericapirequest.WithNamespace(context.Background(), namespace)
	ctx = genericapirequest.WithRequestInfo(ctx, &genericapirequest.RequestInfo{
		IsResourceRequest: true, Verb: "create", Namespace: namespace,
		APIGroup: "networking.k8s.io", APIVersion: "v1", Resource: "networkpolicies",
	})
	return stored, rest.BeforeCreate(networkpolicy.Strategy, ctx, internal)
}

// manifest writes one policy.
func manifest(t testing.TB, p *networkingv1.NetworkPolicy) []byte {
	t.Helper()
	p = p.DeepCopy()
	p.TypeMeta = metav1.TypeMeta{APIVersion: "networking.k8s.io/v1", Kind: "NetworkPolicy"}
	text, err := yaml.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
