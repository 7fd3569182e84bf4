package security

import (
	"fmt"
	"slices"
	"strings"

	"github.com/distribution/reference"

	"mesos-docker-executor/internal/glob"
)

// imageSource decides by an image's name, before anything is pulled, where it may come from. See [Policy.ReviewImage] for
// what can be known only when it is there.
func (r *review) imageSource(named reference.Named) {
	const field = "Image"
	image, rules := reference.FamiliarString(named), r.rules.Images
	before := len(r.findings)
	if isDigestAlgorithm(reference.FamiliarName(named)) {
		r.reject(field, image, "image",
			"%q is refused: the engine takes it for the ID of an image that it has, which says nothing of where that came from; write "+
				"repository:tag or repository@digest.", Shorten(image))
		return
	}
	allowed := func(name string) bool {
		return slices.ContainsFunc(rules.Allow, func(pattern string) bool { return matchesRepository(pattern, name) })
	}
	if name := named.Name(); !allowed(name) {
		remedy := "name one of these, or have the image copied to one"
		switch {
		case len(rules.Allow) == 0:
			remedy = "no image can run until it does"
		case allowed(strings.ToLower(name)):
			remedy = "write the name of the registry in lower case: to the engine it is another one"
		}
		r.deny(field, image, ruleImageAllow, "Image %q is refused: its repository %s is not among those that the policy allows%s; %s.",
			Shorten(image), Printable(name), inBrackets(rules.Allow), remedy)
	}
	if _, ok := named.(reference.Canonical); rules.RequireDigest && !ok {
		r.deny(field, image, ruleImageDigest,
			"Image %q is refused: the policy demands a digest, since a tag can be moved to another image; write %s@sha256:<64 hex digits>.",
			Shorten(image), Printable(image))
	}
	if !r.rejectedSince(before) {
		r.allow(field, image, ruleImageAllow)
	}
}

// Rules of the findings about where an image comes from.
const (
	ruleImageAllow  = "image.allow"
	ruleImageDigest = "image.digest"
)

// isDigestAlgorithm reports whether the engine takes NAME:TAG for the ID of an image: it reads "sha256:" and some hexadecimal
// digits so (moby, image.Store.Search), although that is a repository of this name with a tag, too.
func isDigestAlgorithm(name string) bool {
	return name == "sha256" || name == "sha384" || name == "sha512"
}

// imageDigest checks, for a policy that demands a digest, that the image that is there carries the one that was asked for: the
// engine's answer is about whatever has the name now. The repository may be another, as the digest alone says what
// the image is.
func (r *review) imageDigest(image Image, asked string) {
	if !r.rules.Images.RequireDigest {
		return
	}
	named, err := reference.ParseNormalizedNamed(asked)
	canonical, ok := named.(reference.Canonical)
	if !ok && r.rules.Mode == Audit {
		return // which was found before the pull
	}
	if err == nil && ok && slices.ContainsFunc(image.RepoDigests, func(has string) bool {
		return strings.HasSuffix(has, "@"+canonical.Digest().String())
	}) {
		return
	}
	r.deny("Image.RepoDigests", strings.Join(image.RepoDigests, ", "), ruleImageDigest,
		"The image that the engine has for %q is refused: it does not carry this digest, which the policy demands; set "+
			"`force_pull_image`, or name the digest that the registry shows.", Shorten(asked))
}

// matchesRepository reports whether a pattern of [ImageRules] stands for a repository, which is written in full. Letters are
// compared as they are: the engine tells upper and lower case apart in the registry's name, too, when it looks for
// credentials, mirrors and certificates.
func matchesRepository(pattern, name string) bool {
	return pattern == everything || glob.MatchBelow(pattern, name)
}

const everything = "**"

// inBrackets lists what a policy allows behind a phrase that says so.
func inBrackets(allowed []string) string {
	const shown = 12
	switch {
	case len(allowed) == 0:
		return ", which are none"
	case len(allowed) > shown:
		allowed = append(slices.Clone(allowed[:shown]), fmt.Sprintf("%d more", len(allowed)-shown))
	}
	return " (" + strings.Join(allowed, ", ") + ")"
}
