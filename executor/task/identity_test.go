package task

import "testing"

func TestAppIDIsThatOfMarathonsTaskID(t *testing.T) {
	const id, other = "0b8d3f6e-3c1c-11ec-8a6d-0242ac120002", "11111111-2222-3333-4444-555555555555"
	for taskID, want := range map[string]string{
		"web_shop." + id:                                 "/web/shop",
		"web_shop.marathon-" + id:                        "/web/shop",
		"web_shop.instance-" + id + "._app.12":           "/web/shop",
		"web_v1.2.instance-" + id + "._app.1":            "/web/v1.2",
		"pod.instance-" + id + ".box.2":                  "/pod",
		"web." + other + "_x.instance-" + id + "._app.1": "/web." + other + "/x",
		"web.front.1":                                    "",
		"WEB." + id:                                      "",
		"." + id:                                         "",
		id:                                               "",
		"":                                               "",
	} {
		if got := MarathonAppID(taskID); got != want {
			t.Errorf("%s: app ID %q, not %q", taskID, got, want)
		}
	}
}
