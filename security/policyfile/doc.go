// Package policyfile reads policy.yaml, the security team's file, and makes of it the [security.Policy] for a task's identity.
package policyfile
