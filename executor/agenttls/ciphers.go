package agenttls

import (
	"crypto/tls"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// suite is a cipher of TLS 1.2 as OpenSSL calls it, and the classes that it is
// in (openssl-ciphers(1) of OpenSSL 1.1.0 and later). SSLv3, TLSv1 and TLSv1.2
// are the oldest versions that have it, SHA1 and SHA256 what the messages are
// signed with: a suite of GCM or Poly1305 has no such hash, whatever its name
// ends with.
type suite struct {
	name    string
	id      uint16
	classes string // separated by spaces
}

// suites are what Go offers a server, apart from 3DES and RC4, best first.
//
// The last six have no forward secrecy, and Go leaves them out by default. They
// are needed: libprocess' default list is "AES128-SHA:AES256-SHA:RC4-SHA:DHE-...",
// of which AES128-SHA and AES256-SHA are all that Go can do.
func suites() []suite {
	return []suite{
		{"ECDHE-ECDSA-AES128-GCM-SHA256", tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, "ECDHE ECDSA AES AES128 AESGCM TLSv1.2"},
		{"ECDHE-RSA-AES128-GCM-SHA256", tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, "ECDHE aRSA AES AES128 AESGCM TLSv1.2"},
		{"ECDHE-ECDSA-AES256-GCM-SHA384", tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, "ECDHE ECDSA AES AES256 AESGCM TLSv1.2"},
		{"ECDHE-RSA-AES256-GCM-SHA384", tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, "ECDHE aRSA AES AES256 AESGCM TLSv1.2"},
		{"ECDHE-ECDSA-CHACHA20-POLY1305", tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, "ECDHE ECDSA CHACHA20 TLSv1.2"},
		{"ECDHE-RSA-CHACHA20-POLY1305", tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256, "ECDHE aRSA CHACHA20 TLSv1.2"},
		{"ECDHE-ECDSA-AES128-SHA", tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA, "ECDHE ECDSA AES AES128 CBC SHA1 TLSv1"},
		{"ECDHE-RSA-AES128-SHA", tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA, "ECDHE aRSA AES AES128 CBC SHA1 TLSv1"},
		{"ECDHE-ECDSA-AES256-SHA", tls.TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA, "ECDHE ECDSA AES AES256 CBC SHA1 TLSv1"},
		{"ECDHE-RSA-AES256-SHA", tls.TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA, "ECDHE aRSA AES AES256 CBC SHA1 TLSv1"},
		{"ECDHE-ECDSA-AES128-SHA256", tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256, "ECDHE ECDSA AES AES128 CBC SHA256 TLSv1.2"},
		{"ECDHE-RSA-AES128-SHA256", tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256, "ECDHE aRSA AES AES128 CBC SHA256 TLSv1.2"},
		{"AES128-GCM-SHA256", tls.TLS_RSA_WITH_AES_128_GCM_SHA256, "kRSA aRSA AES AES128 AESGCM TLSv1.2"},
		{"AES256-GCM-SHA384", tls.TLS_RSA_WITH_AES_256_GCM_SHA384, "kRSA aRSA AES AES256 AESGCM TLSv1.2"},
		{"AES128-SHA", tls.TLS_RSA_WITH_AES_128_CBC_SHA, "kRSA aRSA AES AES128 CBC SHA1 SSLv3"},
		{"AES256-SHA", tls.TLS_RSA_WITH_AES_256_CBC_SHA, "kRSA aRSA AES AES256 CBC SHA1 SSLv3"},
		{"AES128-SHA256", tls.TLS_RSA_WITH_AES_128_CBC_SHA256, "kRSA aRSA AES AES128 CBC SHA256 TLSv1.2"},
	}
}

// otherNames are other spellings of the classes. "" is every cipher.
func otherNames() map[string]string {
	return map[string]string{
		"ALL": "", "DEFAULT": "", "COMPLEMENTOFDEFAULT": "none", "HIGH": "", "TLSv1.0": "TLSv1",
		"EECDH": "ECDHE", "kEECDH": "ECDHE", "kECDHE": "ECDHE", "aECDSA": "ECDSA", "RSA": "kRSA", "SHA": "SHA1",
	}
}

// absent are classes of which Go has nothing to offer, so that leaving them out
// is no mistake to point out.
func absent() []string {
	return []string{
		"aNULL", "eNULL", "NULL", "ADH", "AECDH", "EXP", "EXPORT", "LOW", "MEDIUM", "MD5", "RC4", "DES", "3DES", "RC2", "IDEA", "SEED", "CAMELLIA", "ARIA",
		"PSK", "SRP", "DSS", "aDSS", "DH", "DHE", "EDH", "kDHE", "kEDH", "aDH", "kDH", "kECDH", "aECDH", "ECDH", "KRB5", "GOST", "SSLv2", "AESCCM", "SHA384", "none",
	}
}

// parseCiphers reads a list as OpenSSL does (openssl-ciphers(1)), as far as it
// makes a difference: names, classes, their intersection by "+", exclusion by
// "-" of what stands before it and by "!" of what stands anywhere. Order is
// Go's. An empty list is everything in suites. A name or class that Go does not
// have is left out, with a note; to exclude what is not known is an error, and
// so is a list of which nothing is left. TLS 1.3 has ciphers of its own, which
// cannot be chosen.
func parseCiphers(list string) (ids []uint16, notes []string, err error) {
	if list == "" {
		list = "ALL"
	}
	var chosen, never []uint16
	var unknown []string
	for _, term := range strings.FieldsFunc(list, func(r rune) bool { return r == ':' || r == ',' || r == ' ' }) {
		if strings.HasPrefix(term, "@") || strings.HasPrefix(term, "+") {
			continue // orders the list
		}
		excluded := strings.HasPrefix(term, "!") || strings.HasPrefix(term, "-")
		matched, known := matching(strings.TrimLeft(term, "!-"))
		switch {
		case excluded && !known:
			return nil, nil, fmt.Errorf("%q excludes ciphers that are not known here; leave it out, or list those to use", term)
		case strings.HasPrefix(term, "!"):
			never = append(never, matched...)
		case excluded:
			chosen = slices.DeleteFunc(chosen, func(id uint16) bool { return slices.Contains(matched, id) })
		case len(matched) == 0:
			unknown = append(unknown, term)
		default:
			chosen = append(chosen, matched...)
		}
	}
	chosen = slices.DeleteFunc(chosen, func(id uint16) bool { return slices.Contains(never, id) })
	if len(chosen) == 0 {
		return nil, nil, errors.New("has no cipher that the executor can use, such as ECDHE-RSA-AES128-GCM-SHA256; add one")
	}
	for _, s := range suites() {
		if slices.Contains(chosen, s.id) {
			ids = append(ids, s.id)
		}
	}
	if len(unknown) > 0 {
		notes = append(notes, "ciphers that the executor does not have are left out: "+strings.Join(unknown, ":"))
	}
	return ids, notes, nil
}

// matching returns the suites of a term; known is false if nobody knows it.
func matching(term string) (ids []uint16, known bool) {
	parts := strings.Split(term, "+")
	known = true
	for i, part := range parts {
		if other, ok := otherNames()[part]; ok {
			parts[i] = other
		} else if !slices.ContainsFunc(suites(), func(s suite) bool { return s.has(part) }) {
			known = known && slices.Contains(absent(), part)
		}
	}
	for _, s := range suites() {
		if !slices.ContainsFunc(parts, func(part string) bool { return part != "" && !s.has(part) }) {
			ids = append(ids, s.id)
		}
	}
	return ids, known
}

func (s suite) has(class string) bool {
	return s.name == class || slices.Contains(strings.Fields(s.classes), class)
}

// parseCurves reads names of curves. nil is Go's own choice.
func parseCurves(list string) ([]tls.CurveID, error) {
	if list == "" || list == "auto" {
		return nil, nil
	}
	known := map[string]tls.CurveID{
		"P-256": tls.CurveP256, "prime256v1": tls.CurveP256, "secp256r1": tls.CurveP256,
		"P-384": tls.CurveP384, "secp384r1": tls.CurveP384,
		"P-521": tls.CurveP521, "secp521r1": tls.CurveP521,
		"X25519": tls.X25519,
	}
	var curves []tls.CurveID
	for _, name := range strings.Split(list, ":") {
		if curve, ok := known[name]; ok && !slices.Contains(curves, curve) {
			curves = append(curves, curve)
		}
	}
	if curves == nil {
		return nil, errors.New("has no curve that the executor can use; add one of P-256, P-384, P-521 and X25519, or write auto")
	}
	return curves, nil
}
