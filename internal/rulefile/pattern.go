package rulefile

import (
	"errors"
	"fmt"
	"strings"
	"unicode"

	"mesos-docker-executor/internal/message"
)

// checkPattern says what is wrong with a pattern of principals, roles or app IDs.
func checkPattern(p string) error {
	switch head, below := strings.CutSuffix(p, "/**"); {
	case p == "":
		return errors.New("is empty, which matches nothing; remove it")
	case strings.Contains(head, "**"):
		if !below && p == "**" {
			return fmt.Errorf("%s is no pattern; leave the kind out where anything may match, or write `*`", message.Quote(p))
		}
		return fmt.Errorf("%s has ** elsewhere than in /** at the end; write `*` for a part without a slash", message.Quote(p))
	}
	return nil
}

func checkRolePattern(p string) error {
	switch err := checkPattern(p); {
	case err != nil:
		return err
	case strings.HasPrefix(p, "/") || strings.HasSuffix(p, "/") || strings.ContainsFunc(p, unicode.IsSpace):
		return fmt.Errorf("%s matches no role of Mesos, which has no blanks and no slash at its ends; write one such as infra/*", message.Quote(p))
	}
	return nil
}

// checkAppPattern lets '*' stand for whole segments only: a proxy in front of Marathon enforces segments, and "/web*" would be for
// the apps of another team, too.
func checkAppPattern(p string) error {
	if err := checkPattern(p); err != nil {
		return err
	}
	if !strings.HasPrefix(p, "/") || p == "/" || strings.HasSuffix(p, "/") || strings.Contains(p, "//") {
		return fmt.Errorf("%s is no app ID of Marathon; write one such as /web/shop, or /web/** for all below /web", message.Quote(p))
	}
	for segment := range strings.SplitSeq(p[1:], "/") {
		switch {
		case segment == "*" || segment == "**":
		case strings.Contains(segment, "*"):
			return fmt.Errorf("%s has a * that is not a whole segment, and could match another team's app; write `/*` or `/**` behind whole names", message.Quote(p))
		case strings.ContainsFunc(segment, NotInAppID):
			return fmt.Errorf("%s matches no app ID of Marathon, whose segments have a-z, 0-9, - and . only", message.Quote(p))
		}
	}
	return nil
}

// NotInAppID is true for what is in no segment of an app ID of Marathon.
func NotInAppID(r rune) bool {
	return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' && r != '.'
}
