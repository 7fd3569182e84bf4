package security

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// accountName is what useradd(8) accepts, and dots and upper case, which images use.
var accountName = compiled(`^[a-zA-Z_][a-zA-Z0-9_.-]*\$?$`)

// user decides over whom the container's process runs as. A task that names no user gets the image's:
// [Policy.ReviewImage].
func (r *review) user() {
	if user := take(&r.left.Config.User); user != "" {
		err := CheckUser(user)
		switch {
		case err != nil:
			r.reject("Config.User", user, "user", "User %q is refused: it %v.", Shorten(user), err)
		case r.rules.RunAsNonRoot && !isNonRoot(user) && r.deny("Config.User", user, "user.non_root",
			"User %q is refused: containers run as a user other than root, given by its number; write one such as 1000.", Shorten(user)):
		case r.deniesPrimaryGroup(user) && r.deny("Config.User", user, "groups",
			"User %q is refused: its group is among the policy's denied_groups; name the user alone, or another group.", Shorten(user)):
		default:
			r.allow("Config.User", user, "user")
		}
		r.out.Config.User = user
	}
	for _, group := range take(&r.left.Host.GroupAdd) {
		field := "Host.GroupAdd[" + group + "]"
		switch {
		case !isAccount(group):
			r.reject(field, group, "groups", "Group %q is refused; write a name or a number from 0 to 2147483647.", Shorten(group))
		case r.deniesGroup(group) && r.deny(field, group, "groups",
			"Group %q is refused: it is among the policy's denied_groups; remove it.", Shorten(group)):
		default:
			r.allow(field, group, "groups")
			r.out.Host.GroupAdd = append(r.out.Host.GroupAdd, group)
		}
	}
}

func (r *review) deniesGroup(group string) bool {
	return slices.ContainsFunc(r.rules.DeniedGroups, func(denied string) bool { return plainNumber(denied) == plainNumber(group) })
}

// deniesPrimaryGroup decides over the group in user:group. root's own says nothing more about root. The group 0 is what any
// user has whom the image's passwd file does not list (runc, libcontainer/user, GetExecUser), and images are built for it;
// refusing to write it would take it from nobody.
func (r *review) deniesPrimaryGroup(user string) bool {
	name, group, given := strings.Cut(user, ":")
	isRoot := func(account string) bool { return account == "root" || plainNumber(account) == "0" }
	return given && !isRoot(name) && !isRoot(group) && r.deniesGroup(group)
}

// isNonRoot reports whether a user is certainly not root: a number other than 0. The group does not matter.
func isNonRoot(user string) bool {
	name, _, _ := strings.Cut(user, ":")
	uid, err := strconv.ParseUint(name, 10, 31)
	return err == nil && uid != 0
}

// plainNumber writes a number without leading zeros, and leaves a name as it is.
func plainNumber(account string) string {
	if n, err := strconv.ParseUint(account, 10, 31); err == nil {
		return strconv.FormatUint(n, 10)
	}
	return account
}

// isAccount takes a name or a number from 0 to 2147483647, which is runc's range.
func isAccount(s string) bool {
	_, err := strconv.ParseUint(s, 10, 31)
	return err == nil || accountName().MatchString(s)
}

// CheckUser checks user[:group], each a name or a number from 0 to 2147483647. The error completes "it ...".
func CheckUser(user string) error {
	parts := strings.Split(user, ":")
	if len(parts) > 2 {
		return fmt.Errorf("must be user or user:group")
	}
	if slices.ContainsFunc(parts, func(part string) bool { return !isAccount(part) }) {
		return fmt.Errorf("must be user or user:group, each a name or a number from 0 to 2147483647")
	}
	return nil
}
