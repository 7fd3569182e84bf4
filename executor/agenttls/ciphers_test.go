package agenttls

import (
	"crypto/tls"
	"slices"
	"strings"
	"testing"
)

func TestCiphers(t *testing.T) {
	all := ""
	for _, s := range suites() {
		all += " " + s.name
	}
	for list, want := range map[string]string{
		"": all, "ALL": all, "DEFAULT:!aNULL": all, "HIGH:!aNULL:!MD5:!3DES:@STRENGTH": all,
		// libprocess' default
		"AES128-SHA:AES256-SHA:RC4-SHA:DHE-RSA-AES128-SHA:DHE-DSS-AES128-SHA:DHE-RSA-AES256-SHA:DHE-DSS-AES256-SHA": "AES128-SHA AES256-SHA",
		"ECDHE-RSA-AES256-GCM-SHA384,ECDHE-ECDSA-AES128-GCM-SHA256":                                                 "ECDHE-ECDSA-AES128-GCM-SHA256 ECDHE-RSA-AES256-GCM-SHA384",
		"EECDH+AESGCM":                          "ECDHE-ECDSA-AES128-GCM-SHA256 ECDHE-RSA-AES128-GCM-SHA256 ECDHE-ECDSA-AES256-GCM-SHA384 ECDHE-RSA-AES256-GCM-SHA384",
		"EECDH+AESGCM:!ECDSA":                   "ECDHE-RSA-AES128-GCM-SHA256 ECDHE-RSA-AES256-GCM-SHA384",
		"RSA+AES128+SHA":                        "AES128-SHA",
		"!kRSA:!ECDSA:AESGCM":                   "ECDHE-RSA-AES128-GCM-SHA256 ECDHE-RSA-AES256-GCM-SHA384",
		"ALL:!kRSA:!CBC:!ECDSA:AES128-SHA":      "ECDHE-RSA-AES128-GCM-SHA256 ECDHE-RSA-AES256-GCM-SHA384 ECDHE-RSA-CHACHA20-POLY1305",
		"AESGCM:-kRSA:-ECDHE:AES256-GCM-SHA384": "AES256-GCM-SHA384",
		"HIGH:!TLSv1.2:!SSLv3":                  "ECDHE-ECDSA-AES128-SHA ECDHE-RSA-AES128-SHA ECDHE-ECDSA-AES256-SHA ECDHE-RSA-AES256-SHA",
		"TLSv1.0":                               "ECDHE-ECDSA-AES128-SHA ECDHE-RSA-AES128-SHA ECDHE-ECDSA-AES256-SHA ECDHE-RSA-AES256-SHA",
		"TLSv1.2:!ECDHE":                        "AES128-GCM-SHA256 AES256-GCM-SHA384 AES128-SHA256",
		"HIGH:!TLSv1:!ECDHE:!AESGCM":            "AES128-SHA AES256-SHA AES128-SHA256",
		"SSLv3":                                 "AES128-SHA AES256-SHA",
		"SHA256:!SHA384":                        "ECDHE-ECDSA-AES128-SHA256 ECDHE-RSA-AES128-SHA256 AES128-SHA256",
		"ALL:-ECDHE:!AESGCM:!SHA1":              "AES128-SHA256",
		"CHACHA20":                              "ECDHE-ECDSA-CHACHA20-POLY1305 ECDHE-RSA-CHACHA20-POLY1305",
	} {
		ids, _, err := parseCiphers(list)
		var names []string
		for _, s := range suites() {
			if slices.Contains(ids, s.id) {
				names = append(names, s.name)
			}
		}
		if got := strings.Join(names, " "); err != nil || got != strings.TrimSpace(want) {
			t.Errorf("%s: %v\n got %s\nwant %s", list, err, got, want)
		}
	}
	for _, list := range []string{"RC4-SHA", "DHE", ":", "ALL:!ALL", "TLS_AES_128_GCM_SHA256", "ALL:!quantum", "AES128-SHA:-FANCY"} {
		if ids, _, err := parseCiphers(list); err == nil {
			t.Errorf("%s: accepted as %v", list, ids)
		}
	}
	if _, notes, err := parseCiphers("AES128-SHA:RC4-SHA:FANCY"); err != nil || len(notes) != 1 || !strings.Contains(notes[0], "RC4-SHA:FANCY") {
		t.Errorf("notes %q, %v", notes, err)
	}
}

// What Go offers with its own default, and no cipher that it calls broken but those without forward secrecy.
func TestCiphersAreGos(t *testing.T) {
	ours := map[uint16]bool{}
	for _, s := range suites() {
		ours[s.id] = true
	}
	for _, c := range tls.CipherSuites() {
		if slices.Contains(c.SupportedVersions, tls.VersionTLS12) && !ours[c.ID] {
			t.Errorf("%s is missing", c.Name)
		}
		delete(ours, c.ID)
	}
	for _, c := range tls.InsecureCipherSuites() {
		if ours[c.ID] && !strings.Contains(c.Name, "_AES_") {
			t.Errorf("%s is offered", c.Name)
		}
		delete(ours, c.ID)
	}
	if len(ours) > 0 {
		t.Errorf("unknown to Go: %v", ours)
	}
}

func TestCurves(t *testing.T) {
	for list, want := range map[string][]tls.CurveID{
		"": nil, "auto": nil, "P-521:P-384:P-256": {tls.CurveP521, tls.CurveP384, tls.CurveP256},
		"secp384r1:prime256v1:secp256r1": {tls.CurveP384, tls.CurveP256}, "X448:X25519": {tls.X25519},
	} {
		if got, err := parseCurves(list); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %v, %v", list, got, err)
		}
	}
	if _, err := parseCurves("X448"); err == nil {
		t.Error("a curve that Go does not have is accepted")
	}
}
