package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/toolmoat/toolmoat/internal/engine/model"
	"github.com/toolmoat/toolmoat/internal/engine/reach"
	"github.com/toolmoat/toolmoat/internal/input/facts"
	"github.com/toolmoat/toolmoat/internal/input/source/cluster"
)

// live is the flags that have a cluster read instead of files.
type live struct {
	cluster    bool
	kubeconfig string
	contexts   []string
	namespaces []string
	all        bool
	printRBAC  bool
}

func (l *live) register(cmd *cobra.Command) {
	f := cmd.Flags()
	f.BoolVar(&l.cluster, "cluster", false, "read the live cluster of the kubeconfig instead of files")
	f.StringArrayVar(&l.contexts, "context", nil, "with --cluster: the `context` of the kubeconfig; several are read one after the other, each a world of its own")
	f.StringArrayVarP(&l.namespaces, "namespace", "n", nil, "with --cluster: read this `namespace` only; may be repeated. What others hold is then not known")
	f.BoolVarP(&l.all, "all-namespaces", "A", false, "with --cluster: read all namespaces, as without -n")
	f.StringVar(&l.kubeconfig, "kubeconfig", "", "with --cluster: the kubeconfig `file`, instead of where kubectl finds it")
	f.BoolVar(&l.printRBAC, "print-rbac", false, "print the role that --cluster needs, with -n for these namespaces, as YAML to apply")
}

// check refuses flags that contradict each other or the paths.
func (l *live) check(paths []string) error {
	seen := map[string]bool{}
	for _, name := range l.namespaces {
		if len(validation.IsDNS1123Label(name)) > 0 {
			return fmt.Errorf("-n %q: no namespace has such a name", name)
		}
		if seen[name] {
			return fmt.Errorf("-n %s is there twice", name)
		}
		seen[name] = true
	}
	switch {
	case l.all && l.namespaces != nil:
		return hinted{errors.New("-A and -n contradict each other"), "-A reads all namespaces, -n those that it names"}
	case l.cluster && len(paths) > 0:
		return hinted{fmt.Errorf("--cluster reads no files: %q is one argument too many", paths[0]), "leave out the path to judge what runs, or --cluster to judge what is written"}
	case !l.cluster && !l.printRBAC && (l.contexts != nil || l.namespaces != nil || l.all || l.kubeconfig != ""):
		return hinted{errors.New("--context, --kubeconfig, -n and -A say what to read of a cluster"), "add --cluster to read one"}
	}
	return nil
}

// load reads each context.
func (l *live) load(ctx context.Context, compile func(*model.Snapshot) *reach.Program) ([]world, error) {
	contexts := l.contexts
	if contexts == nil {
		contexts = []string{""}
	}
	var worlds []world
	for _, name := range contexts {
		var w world
		if len(contexts) > 1 {
			w.context = name
		}
		snapshot, err := l.read(ctx, name)
		if err != nil {
			return nil, w.explain(err)
		}
		w.program = compile(snapshot)
		worlds = append(worlds, w)
	}
	return worlds, nil
}

func (l *live) read(ctx context.Context, name string) (*model.Snapshot, error) {
	var snapshot *model.Snapshot
	client, err := cluster.Open(cluster.Options{Kubeconfig: l.kubeconfig, Context: name})
	if err == nil {
		snapshot, err = client.Load(ctx, l.namespaces)
	}
	if err == nil {
		snapshot.Facts, err = detect(ctx, client)
	}
	if err != nil {
		return nil, explained(err)
	}
	return snapshot, nil
}

// rbac prints what lets a user or a service account run the command on a cluster.
func (l *live) rbac(s streams) error {
	if err := l.check(nil); err != nil {
		return err
	}
	_, err := s.out.Write(cluster.RBAC(l.namespaces, facts.Resources))
	return err
}
