package security

// Identity is what a policy's rules may go by, because the cluster vouches for it and not the task's author.
type Identity struct {
	// Principal is FrameworkInfo.principal of the event SUBSCRIBED. It is "" if there is none.
	Principal string
	// Role is the one allocation_info.role of the task's resources.
	Role string
	// Trusted says that Principal and Role come from the agent that started the executor. If not, no rule that goes by them
	// applies.
	Trusted bool
	// AppID is Marathon's app ID ("/web/shop"), or "". It counts only for principals that the policy trusts with it, since the
	// author of an app chooses it.
	AppID string
	// Profile is the profile that the task asks for by its label [ProfileLabel], or "". It grants nothing: it picks one of
	// those that the identity may use anyway.
	Profile string
}

// ProfileLabel is the label of a TaskInfo that picks a profile of the policy.
const ProfileLabel = "mesos-docker-executor.profile"

// ProfileError says why an identity may not have the profile that it asks for.
type ProfileError struct {
	Place   string // where the policy says what it may have; see [Finding].Place
	Message string // a sentence for the task's author
}

func (e *ProfileError) Error() string { return e.Message }
