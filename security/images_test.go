package security

import (
	"strings"
	"testing"
)

const someDigest = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

func withImages(i ImageRules) Policy {
	rules := BuiltInRules()
	rules.Images = i
	return New("test", rules)
}

func reviewImageName(p Policy, image string) Decision {
	spec := goodSpec()
	spec.Image, spec.Config.Image = image, image
	return p.Review(spec, testRoots)
}

func TestWhichRepositoriesAPatternStandsFor(t *testing.T) {
	tests := []struct {
		pattern    string
		yes, never string // images
	}{
		{"**", "busybox:1 a/b:1 registry.example/x:1 registry.example:5000/a/b/c:1 localhost/x:1 [::1]:5000/x:1", ""},
		{"docker.io/**", "busybox:1 team/app:1", "registry-1.docker.io/library/busybox:1 docker.io.example/x:1 Docker.io/x:1 localhost/docker.io/x:1"},
		{"docker.io/library/*", "busybox:1 busybox:1@" + someDigest, "team/app:1 library.example/busybox:1"},
		{"docker.io/library/busybox", "busybox:1 busybox@" + someDigest, "busybox2:1 team/busybox:1 busy.box/busybox:1"},
		{"docker.io/team/*", "team/app:1", "team/app/part:1 teams/app:1"},
		{"registry.example/**", "registry.example/a:1 registry.example/a/b/c:1",
			"registry.example:5000/a:1 registry.example:443/a:1 registry.example.evil.example/a:1 evil.example/registry.example/a:1 Registry.example/a:1 registry.exampl\u0435/a:1 xn--registry-example/a:1"},
		{"registry.example:5000/team/**", "registry.example:5000/team/a:1 registry.example:5000/team/a/b:1",
			"registry.example:5000/team:1 registry.example:5000/teams/a:1 registry.example:5001/team/a:1 registry.example/team/a:1"},
		{"*.example/team/**", "a.example/team/x:1 a.b.example/team/x/y:1", "example/team/x:1 a.example/other/x:1 a.example:5000/team/x:1"},
		{"registry.example/*/app", "registry.example/web/app:1", "registry.example/web/shop/app:1 registry.example/app:1"},
		{"[::1]:5000/**", "[::1]:5000/x:1", "[::2]:5000/x:1"},
		// Malformed ones stand for nothing.
		{"", "", "busybox:1"}, {"busybox", "", "busybox:1"}, {"*", "", "busybox:1 registry.example/a:1"}, {"***", "", "busybox:1"},
		{"**/busybox", "", "busybox:1 a.example/busybox:1"}, {"/**", "", "busybox:1"}, {"docker.io**", "", "busybox:1"},
		{"docker.io/**/busybox", "", "busybox:1 a/busybox:1"}, {"docker.io/library/busybox:1", "", "busybox:1"}, {"docker.io/", "", "busybox:1"},
	}
	for _, test := range tests {
		p := withImages(ImageRules{Allow: []string{"none.example/x", test.pattern}})
		for _, image := range strings.Fields(test.yes) {
			if d := reviewImageName(p, image); d.Rejected() {
				t.Errorf("%q and %s: %+v", test.pattern, image, d.Rejections())
			}
		}
		for _, image := range strings.Fields(test.never) {
			d := reviewImageName(p, image)
			if !d.Rejected() || d.Rejections()[0].Rule != ruleImageAllow && d.Rejections()[0].Rule != "image" {
				t.Errorf("%q and %s: %+v", test.pattern, image, d.Findings)
			}
		}
	}
}

func TestImagesThatAPolicyRefusesByName(t *testing.T) {
	company := ImageRules{Allow: []string{"registry.example/**"}}
	tests := []struct {
		name  string
		rules ImageRules
		image string
		want  string // rules of the rejections
		says  string
	}{
		{"nothing is allowed", ImageRules{}, "busybox:1", "image.allow", "none; no image can run until it does"},
		{"another registry", company, "busybox:1", "image.allow", "docker.io/library/busybox is not among those that the policy allows (registry.example/**)"},
		{"another case", company, "Registry.Example/a:1", "image.allow", "lower case"},
		{"alias of Docker Hub", ImageRules{Allow: []string{"docker.io/**"}}, "registry-1.docker.io/library/busybox:1", "image.allow", "registry-1.docker.io"},
		{"no digest", ImageRules{Allow: []string{"**"}, RequireDigest: true}, "busybox:1", "image.digest", "write busybox:1@sha256:<64 hex digits>"},
		{"a digest", ImageRules{Allow: []string{"**"}, RequireDigest: true}, "busybox@" + someDigest, "", ""},
		{"tag and digest", ImageRules{Allow: []string{"**"}, RequireDigest: true}, "busybox:1@" + someDigest, "", ""},
		{"both rules", ImageRules{RequireDigest: true}, "busybox:1", "image.allow image.digest", ""},
		{"not in short form", ImageRules{Allow: []string{"**"}}, "index.docker.io/library/busybox:1", "image", ""},
		{"half a digest", ImageRules{Allow: []string{"**"}, RequireDigest: true}, "busybox@sha256:0123", "image", ""},
		{"weak digest", ImageRules{Allow: []string{"**"}, RequireDigest: true}, "busybox@md5:0123456789abcdef0123456789abcdef", "image", ""},
		{"digest in upper case", ImageRules{Allow: []string{"**"}, RequireDigest: true}, "busybox@sha256:" + strings.ToUpper(someDigest[7:]), "image", ""},
		{"ID of an image", ImageRules{Allow: []string{"**"}}, someDigest, "image", "the ID of an image"},
		{"start of an ID", ImageRules{Allow: []string{"docker.io/library/*"}}, "sha256:0123", "image", "the ID of an image"},
		{"start of an ID in full", ImageRules{Allow: []string{"**"}}, "docker.io/library/sha256:0123", "image", ""},
		{"only the name is like an ID", ImageRules{Allow: []string{"**"}}, "registry.example/sha256:0123", "", ""},
		{"upper case in the path", ImageRules{Allow: []string{"**"}}, "registry.example/Team/app:1", "image", ""},
		{"dot at the end of the registry", ImageRules{Allow: []string{"**"}}, "registry.example./app:1", "image", ""},
		{"credentials", ImageRules{Allow: []string{"**"}}, "user@registry.example/app:1", "image", ""},
		{"letters of another script", ImageRules{Allow: []string{"**"}}, "registry.ex\u0430mple/app:1", "image", ""},
		{"full-width letters", ImageRules{Allow: []string{"**"}}, "\uff44ocker.io/library/busybox:1", "image", ""},
		{"full stop of another script", company, "registry\u3002example/app:1", "image", ""},
		{"traversal", company, "registry.example/../evil/app:1", "image", ""},
		{"scheme", company, "https://registry.example/app:1", "image", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var rules, said []string
			for _, f := range reviewImageName(withImages(test.rules), test.image).Rejections() {
				rules, said = append(rules, f.Rule), append(said, f.Message)
				if f.Field != "Image" || f.Value == "" || !strings.HasSuffix(f.Message, ".") {
					t.Errorf("%+v", f)
				}
			}
			if got := strings.Join(rules, " "); got != test.want || !strings.Contains(strings.Join(said, " "), test.says) {
				t.Errorf("got %q, want %q: %q", got, test.want, said)
			}
		})
	}
}

func TestTheImageThatIsThereCarriesTheDigest(t *testing.T) {
	demands := withImages(ImageRules{Allow: []string{"**"}, RequireDigest: true})
	other := strings.Replace(someDigest, "0", "f", 1)
	tests := []struct {
		name     string
		policy   Policy
		image    string
		digests  []string
		rejected bool
	}{
		{"the one", demands, "busybox@" + someDigest, []string{"busybox@" + someDigest}, false},
		{"with a tag", demands, "busybox:1@" + someDigest, []string{"a@" + other, "busybox@" + someDigest}, false},
		{"of another repository", demands, "busybox@" + someDigest, []string{"registry.example/copy@" + someDigest}, false},
		{"another one", demands, "busybox@" + someDigest, []string{"busybox@" + other}, true},
		{"built here", demands, "busybox@" + someDigest, nil, true},
		{"part of it", demands, "busybox@" + someDigest, []string{"busybox@" + someDigest[:20], someDigest, ""}, true},
		{"a tag", demands, "busybox:1", []string{"busybox@" + someDigest}, true},
		{"nothing is demanded", withImages(ImageRules{Allow: []string{"**"}}), "busybox:1", nil, false},
	}
	for _, test := range tests {
		found := test.policy.ReviewImage(Image{RepoDigests: test.digests}, Spec{Image: test.image}, testRoots)
		if (len(found) > 0) != test.rejected {
			t.Errorf("%s: %+v", test.name, found)
		}
		for _, f := range found {
			if f.Rule != ruleImageDigest || f.Action != Reject || f.Field != "Image.RepoDigests" || f.Origin != "image" || !strings.Contains(f.Message, "force_pull_image") {
				t.Errorf("%s: %+v", test.name, f)
			}
		}
	}
}
