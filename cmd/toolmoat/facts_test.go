package main

import (
	"testing"

	"github.com/toolmoat/toolmoat/internal/engine/model"
)

func TestSupplement(t *testing.T) {
	unknown := []model.Unknown{{What: "cni", Why: "x"}, {What: "dns", Why: "x"}}
	for _, tt := range []struct {
		name               string
		given, found       model.Facts
		cni, cloud         string
		knowsCNI, knowsDNS bool
	}{
		{"files tell nothing of themselves", model.Facts{CNI: "calico"}, model.Facts{}, "calico", "", true, true},
		{"the file decides", model.Facts{CNI: "calico", Cloud: "AWS"}, model.Facts{CNI: "none", Cloud: "Azure"}, "calico", "AWS", true, true},
		{"the file does not say", model.Facts{}, model.Facts{CNI: "none", Cloud: "AWS"}, "none", "AWS", true, true},
		{"the file does not know", model.Facts{Unknown: unknown}, model.Facts{CNI: "none"}, "none", "", true, false},
		{"nobody knows", model.Facts{Unknown: unknown}, model.Facts{CNI: "none", Unknown: unknown}, "", "", false, false},
	} {
		f := supplement(tt.given, tt.found)
		if f.CNI != tt.cni || f.Cloud != tt.cloud || f.Known("cni") != tt.knowsCNI || f.Known("dns") != tt.knowsDNS {
			t.Errorf("%s: %+v", tt.name, f)
		}
	}
	if unknown[0].What != "cni" || unknown[1].What != "dns" {
		t.Error("what was given has changed")
	}
}
