package registrytest

import (
	"fmt"
	"net/http"
	"strings"
)

// Login is what a registry demands.
type Login struct {
	User, Password string
	// Refresh is an identity token that the token server takes instead of user and password; "" for none.
	Refresh string
	// Bearer is the token that the token server hands out and the registry takes. "" lets the registry take user and
	// password itself.
	Bearer string
}

type access struct {
	login   Login
	demands bool
}

const tokenPath = "/token"

// Demand lets in only who knows login: by basic authentication, or, with Bearer, by the token that the registry's own
// token server hands out (distribution's "token authentication").
func (r *Registry) Demand(login Login) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.access = access{login, true}
}

func (r *Registry) demand() access {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.access
}

// admits lets the request in, or answers it with what the registry demands.
func (r *Registry) admits(w http.ResponseWriter, req *http.Request) bool {
	a := r.demand()
	switch {
	case !a.demands:
		return true
	case a.login.Bearer == "":
		if a.knows(req) {
			return true
		}
		w.Header().Set("WWW-Authenticate", `Basic realm="registrytest"`)
	default:
		if req.Header.Get("Authorization") == "Bearer "+a.login.Bearer {
			return true
		}
		w.Header().Set("WWW-Authenticate", fmt.Sprintf(`Bearer realm="http://%s%s",service="registrytest"`, r.Host, tokenPath))
	}
	refuse(w, http.StatusUnauthorized, "UNAUTHORIZED", "authentication required")
	return false
}

func (a access) knows(req *http.Request) bool {
	user, password, ok := req.BasicAuth()
	return ok && user == a.login.User && password == a.login.Password
}

// serveToken hands the token out, to user and password or to an identity token (OAuth 2, as in distribution's
// docs/spec/auth/oauth.md).
func (r *Registry) serveToken(w http.ResponseWriter, req *http.Request) {
	a := r.demand()
	known := a.knows(req)
	if req.Method == http.MethodPost {
		known = req.FormValue("grant_type") == "refresh_token" && a.login.Refresh != "" && req.FormValue("refresh_token") == a.login.Refresh
	}
	if !known {
		refuse(w, http.StatusUnauthorized, "UNAUTHORIZED", "incorrect username or password")
		return
	}
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprintf(w, `{"token":%q,"access_token":%q}`, a.login.Bearer, a.login.Bearer)
}

func caller(req *http.Request) string {
	if user, _, ok := req.BasicAuth(); ok {
		return "Basic " + user
	}
	scheme, _, _ := strings.Cut(req.Header.Get("Authorization"), " ")
	return scheme
}
