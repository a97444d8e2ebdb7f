package cilium

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/cilium/cilium/pkg/k8s/apis/cilium.io/client"
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	schemacel "k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/listtype"
	schemaobjectmeta "k8s.io/apiextensions-apiserver/pkg/apiserver/schema/objectmeta"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	"sigs.k8s.io/yaml"
)

// kind is how the API server checks one of Cilium's kinds.
type kind struct {
	structural *schema.Structural
	validator  validation.SchemaValidator
	rules      *schemacel.Validator
	namespaced bool
}

var kinds = sync.OnceValue(func() map[string]kind {
	out := map[string]kind{}
	for name, crd := range map[string]string{
		"CiliumNetworkPolicy": client.CNPCRDName, "CiliumClusterwideNetworkPolicy": client.CCNPCRDName, "CiliumCIDRGroup": client.CCGCRDName,
	} {
		external := client.GetPregeneratedCRD(quiet, crd)
		for _, v := range external.Spec.Versions {
			var internal apiextensions.CustomResourceValidation
			if err := apiextensionsv1.Convert_v1_CustomResourceValidation_To_apiextensions_CustomResourceValidation(v.Schema, &internal, nil); err != nil {
				panic(err)
			}
			structural, err := schema.NewStructural(internal.OpenAPIV3Schema)
			if err != nil {
				panic(err)
			}
			validator, _, err := validation.NewSchemaValidator(internal.OpenAPIV3Schema)
			if err != nil {
				panic(err)
			}
			out[v.Name+" "+name] = kind{structural, validator, schemacel.NewValidator(structural, true, celconfig.PerCallLimit), external.Spec.Scope == apiextensionsv1.NamespaceScoped}
		}
	}
	return out
})

// admit says why the API server refuses to create an object of one of Cilium's kinds, by its CRD.
// Unknown fields are errors, as kubectl asks for. A NetworkPolicy is not looked at.
func admit(text []byte) error {
	var o map[string]any
	if err := yaml.UnmarshalStrict(text, &o); err != nil {
		return err
	}
	name, _ := o["kind"].(string)
	version, _ := o["apiVersion"].(string)
	if name == "NetworkPolicy" {
		return nil
	}
	group, version, _ := strings.Cut(version, "/")
	k, ok := kinds()[version+" "+name]
	if !ok || group != "cilium.io" {
		return fmt.Errorf("no such kind: %v %v", o["apiVersion"], name)
	}
	var errs []error
	for _, path := range pruning.PruneWithOptions(o, k.structural, true, schema.UnknownFieldPathOptions{TrackUnknownFieldPaths: true}) {
		errs = append(errs, fmt.Errorf("unknown field %s", path))
	}
	if err := schemaobjectmeta.Coerce(nil, o, k.structural, true, false); err != nil {
		errs = append(errs, err)
	}
	defaulting.PruneNonNullableNullsWithoutDefaults(o, k.structural)
	defaulting.Default(o, k.structural)
	list := validation.ValidateCustomResource(nil, o, k.validator)
	list = append(list, listtype.ValidateListSetsAndMaps(nil, k.structural, o)...)
	list = append(list, schemaobjectmeta.Validate(nil, o, k.structural, true)...)
	if k.rules != nil && len(list) == 0 {
		more, _ := k.rules.Validate(context.Background(), nil, k.structural, o, nil, celconfig.RuntimeCELCostBudget)
		list = append(list, more...)
	}
	meta, _, err := schemaobjectmeta.GetObjectMeta(o, false)
	switch {
	case err != nil:
		errs = append(errs, err)
	case meta == nil:
		errs = append(errs, errors.New("no metadata"))
	default:
		if k.namespaced && meta.Namespace == "" {
			meta.Namespace = "default" // as kubectl fills it in
		}
		list = append(list, apivalidation.ValidateObjectMeta(meta, k.namespaced, apivalidation.NameIsDNSSubdomain, field.NewPath("metadata"))...)
	}
	if err := list.ToAggregate(); err != nil {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}
