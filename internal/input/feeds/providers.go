package feeds

import (
	"encoding/json"
	"errors"
	"maps"
	"slices"
)

// decodeAWS reads ip-ranges.json. Sections are service/region.
func decodeAWS(answer []byte, d *document) error {
	var in struct {
		SyncToken json.RawMessage `json:"syncToken"`
		V4        []struct {
			Prefix  string `json:"ip_prefix"`
			Region  string `json:"region"`
			Service string `json:"service"`
		} `json:"prefixes"`
		V6 []struct {
			Prefix  string `json:"ipv6_prefix"`
			Region  string `json:"region"`
			Service string `json:"service"`
		} `json:"ipv6_prefixes"`
	}
	if err := unmarshal(answer, &in); err != nil {
		return err
	}
	for _, p := range in.V4 {
		if err := d.addTo(p.Prefix, p.Service, p.Region); err != nil {
			return err
		}
	}
	for _, p := range in.V6 {
		if err := d.addTo(p.Prefix, p.Service, p.Region); err != nil {
			return err
		}
	}
	return d.number("syncToken", in.SyncToken)
}

// addTo is add for a path as the provider names it.
func (d *document) addTo(text string, names ...string) error {
	path, err := join(names...)
	if err != nil {
		return err
	}
	return d.add(path, text)
}

// decodeGoogle reads goog.json, cloud.json, whose sections are scopes, and what has the same form:
// OpenAI's have no syncToken.
func decodeGoogle(answer []byte, d *document) error {
	var in struct {
		SyncToken    json.RawMessage `json:"syncToken"`
		CreationTime string          `json:"creationTime"`
		Prefixes     []struct {
			V4    string `json:"ipv4Prefix"`
			V6    string `json:"ipv6Prefix"`
			Scope string `json:"scope"`
		} `json:"prefixes"`
	}
	if err := unmarshal(answer, &in); err != nil {
		return err
	}
	for _, p := range in.Prefixes {
		path := ""
		if p.Scope != "" {
			var err error
			if path, err = join(p.Scope); err != nil {
				return err
			}
		}
		if p.V4 == "" && p.V6 == "" {
			return errors.New("an entry with neither ipv4Prefix nor ipv6Prefix")
		}
		for _, text := range []string{p.V4, p.V6} {
			if text == "" {
				continue
			}
			if err := d.add(path, text); err != nil {
				return err
			}
		}
	}
	if in.SyncToken == nil {
		return d.instant("creationTime", in.CreationTime)
	}
	return d.number("syncToken", in.SyncToken)
}

// decodeAzure reads the weekly file and the answer of Service Tags - List. Sections are tags, as
// "storage" or "storage.westeurope".
func decodeAzure(answer []byte, d *document) error {
	var in struct {
		ChangeNumber json.RawMessage `json:"changeNumber"`
		Values       []struct {
			Name       string `json:"name"`
			Properties struct {
				Prefixes []string `json:"addressPrefixes"`
			} `json:"properties"`
		} `json:"values"`
	}
	if err := unmarshal(answer, &in); err != nil {
		return err
	}
	for _, tag := range in.Values {
		path, err := join(tag.Name)
		if err != nil {
			return err
		}
		if err := d.addAll(path, tag.Properties.Prefixes); err != nil {
			return err
		}
	}
	return d.number("changeNumber", in.ChangeNumber)
}

// decodeCloudflare reads the answer of the API, which says itself whether it worked.
func decodeCloudflare(answer []byte, d *document) error {
	var in struct {
		Success bool `json:"success"`
		Result  struct {
			V4 []string `json:"ipv4_cidrs"`
			V6 []string `json:"ipv6_cidrs"`
		} `json:"result"`
	}
	if err := unmarshal(answer, &in); err != nil {
		return err
	}
	if !in.Success {
		return errors.New("the API says that it did not succeed")
	}
	return d.addAll("", in.Result.V4, in.Result.V6)
}

// decodeAtlassian reads items that have several products and directions. What is not of the
// commercial perimeter stays apart.
func decodeAtlassian(answer []byte, d *document) error {
	var in struct {
		SyncToken json.RawMessage `json:"syncToken"`
		Items     []struct {
			CIDR      string   `json:"cidr"`
			Product   []string `json:"product"`
			Direction []string `json:"direction"`
			Perimeter string   `json:"perimeter"`
		} `json:"items"`
	}
	if err := unmarshal(answer, &in); err != nil {
		return err
	}
	for _, item := range in.Items {
		if len(item.Direction) == 0 {
			item.Direction = []string{"other"}
		}
		if len(item.Product) == 0 {
			item.Product = []string{"other"}
		}
		var apart []string
		if item.Perimeter != "" && item.Perimeter != "commercial" {
			apart = []string{item.Perimeter}
		}
		for _, direction := range item.Direction {
			for _, product := range item.Product {
				if err := d.addTo(item.CIDR, append(apart[:len(apart):len(apart)], direction, product)...); err != nil {
					return err
				}
			}
		}
	}
	return d.number("syncToken", in.SyncToken)
}

// decodeDatadog reads sections of two lists each. The lists by location repeat them.
func decodeDatadog(answer []byte, d *document) error {
	var keyed map[string]json.RawMessage
	if err := unmarshal(answer, &keyed); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(keyed)) {
		value := keyed[name]
		if len(value) == 0 || value[0] != '{' {
			continue
		}
		var in struct {
			V4 []string `json:"prefixes_ipv4"`
			V6 []string `json:"prefixes_ipv6"`
		}
		if err := unmarshal(value, &in); err != nil {
			return err
		}
		path, err := join(name)
		if err != nil {
			return err
		}
		if err := d.addAll(path, in.V4, in.V6); err != nil {
			return err
		}
	}
	return d.number("version", keyed["version"])
}

// decodeOkta reads the ranges of each cell.
func decodeOkta(answer []byte, d *document) error {
	var cells map[string]struct {
		Ranges []string `json:"ip_ranges"`
	}
	if err := unmarshal(answer, &cells); err != nil {
		return err
	}
	for _, cell := range slices.Sorted(maps.Keys(cells)) {
		path, err := join(cell)
		if err != nil {
			return err
		}
		if err := d.addAll(path, cells[cell].Ranges); err != nil {
			return err
		}
	}
	return nil
}

func decodeZscaler(answer []byte, d *document) error {
	var in struct {
		Prefixes []string `json:"hubPrefixes"`
	}
	if err := unmarshal(answer, &in); err != nil {
		return err
	}
	return d.addAll("", in.Prefixes)
}

// decodeOracle reads public_ip_ranges.json. Sections are region/tag.
func decodeOracle(answer []byte, d *document) error {
	type cidr struct {
		CIDR string   `json:"cidr"`
		Tags []string `json:"tags"`
	}
	var in struct {
		Updated string `json:"last_updated_timestamp"`
		Regions []struct {
			Region string `json:"region"`
			V4     []cidr `json:"cidrs"`
			V6     []cidr `json:"ipv6_cidrs"`
		} `json:"regions"`
	}
	if err := unmarshal(answer, &in); err != nil {
		return err
	}
	for _, r := range in.Regions {
		for _, c := range append(r.V4, r.V6...) {
			if len(c.Tags) == 0 {
				c.Tags = []string{"other"}
			}
			for _, tag := range c.Tags {
				if err := d.addTo(c.CIDR, r.Region, tag); err != nil {
					return err
				}
			}
		}
	}
	return d.instant("last_updated_timestamp", in.Updated)
}
