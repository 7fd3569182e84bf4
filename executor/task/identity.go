package task

import (
	"regexp"
	"slices"
	"strings"
	"sync"

	mesos "github.com/mesos/mesos-go/api/v1/lib"

	"mesos-docker-executor/security"
)

// labelField is the label of a TaskInfo that picks a profile, as findings name it.
const labelField = "labels[" + security.ProfileLabel + "]"

// who is the identity that the policy's rules go by.
func (t *translation) who() security.Identity {
	id := security.Identity{
		Principal: t.in.Principal,
		Trusted:   t.in.Trusted,
		AppID:     MarathonAppID(t.task.TaskID.Value),
		Profile:   Profile(&t.task),
	}
	if len(t.task.Resources) > 0 {
		id.Role = t.task.Resources[0].GetAllocationInfo().GetRole() // mixed roles are invalid, see role
	}
	return id
}

// Profile returns the profile of the policy that a task picks by its label, "" if it picks none.
func Profile(task *mesos.TaskInfo) string {
	if picked := profiles(task); len(picked) > 0 {
		return picked[0]
	}
	return ""
}

func profiles(task *mesos.TaskInfo) (picked []string) {
	if task.Labels == nil {
		return nil
	}
	for _, label := range task.Labels.Labels {
		if label.Key == security.ProfileLabel {
			picked = append(picked, label.GetValue())
		}
	}
	return picked
}

// oneProfile refuses labels that pick different profiles.
func (t *translation) oneProfile() {
	picked := profiles(&t.task)
	if other := slices.IndexFunc(picked, func(profile string) bool { return profile != picked[0] }); other > 0 {
		t.invalid(labelField, picked[other], "The label is there with the values %s and %s; a task has one profile, keep one of them.", quote(picked[0]), quote(picked[other]))
	}
}

// MarathonAppID returns the app ID in a task ID that Marathon made ("web_shop.instance-<UUID>._app.1" is of "/web/shop"), "" if it
// is none. An app ID has no '_' (its segments are of a-z, 0-9, '-' and '.'), so Marathon writes it for '/'. The variable
// MARATHON_APP_ID says the same, but the author of an app can set it.
func MarathonAppID(taskID string) string {
	app := marathonTaskID().FindStringSubmatch(taskID)
	if app == nil {
		return ""
	}
	return "/" + strings.ReplaceAll(app[1], "_", "/")
}

// marathonTaskID matches the task IDs of Marathon 0.x ("<app>.<UUID>"), 1.4 ("<app>.marathon-<UUID>") and later. The last UUID
// counts, so that no app ID can end early by one of its own.
var marathonTaskID = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^([a-z0-9._-]+)\.(?:instance-|marathon-)?[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}(?:\.[^.]+)*$`)
})
