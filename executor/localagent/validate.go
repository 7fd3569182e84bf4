package localagent

import (
	"errors"
	"fmt"
	"strings"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
	"github.com/mesos/mesos-go/api/v1/lib/executor"
)

// validateCall is the agent's check of a decoded call; an error means 400.
// It follows validateExecutorCall in Mesos' src/common/validation.cpp.
// Updates inside SUBSCRIBE are not looked at there, nor here.
func validateCall(call *executor.Call) error {
	switch call.Type {
	case executor.Call_SUBSCRIBE:
		if call.Subscribe == nil {
			return errors.New("expecting 'subscribe' to be present")
		}
	case executor.Call_UPDATE:
		if call.Update == nil {
			return errors.New("expecting 'update' to be present")
		}
		return validateUpdate(call.ExecutorID.Value, &call.Update.Status)
	case executor.Call_MESSAGE:
		if call.Message == nil {
			return errors.New("expecting 'message' to be present")
		}
	}
	return nil
}

func validateUpdate(executorID string, status *mesos.TaskStatus) error {
	if err := validateUUID(status.UUID); err != nil {
		return err
	}
	if id := status.ExecutorID; id != nil && id.Value != executorID {
		return errors.New("executor_id in call does not match executor_id in the update's status")
	}
	if status.GetSource() != mesos.SOURCE_EXECUTOR {
		return errors.New("received call from executor with source that is not SOURCE_EXECUTOR")
	}
	if status.GetState() == mesos.TASK_STAGING {
		return errors.New("received TASK_STAGING from executor, which is not allowed")
	}
	return validateCheckStatus(status.CheckStatus)
}

// validateUUID wants 16 bytes whose version boost knows: 1 to 5.
func validateUUID(uuid []byte) error {
	if len(uuid) != 16 {
		return fmt.Errorf("expecting 'uuid' of 16 bytes, got %d", len(uuid))
	}
	if version := uuid[6] >> 4; version < 1 || version > 5 {
		return fmt.Errorf("'uuid' has the unknown version %d", version)
	}
	return nil
}

func validateCheckStatus(check *mesos.CheckStatusInfo) error {
	if check == nil {
		return nil
	}
	switch check.GetType() {
	case mesos.CheckInfo_COMMAND:
		if check.Command == nil {
			return errors.New("expecting 'command' to be set for COMMAND check's status")
		}
	case mesos.CheckInfo_HTTP:
		if check.HTTP == nil {
			return errors.New("expecting 'http' to be set for HTTP check's status")
		}
	case mesos.CheckInfo_TCP:
		if check.TCP == nil {
			return errors.New("expecting 'tcp' to be set for TCP check's status")
		}
	default:
		return errors.New("'check_status' must specify a known 'type'")
	}
	return nil
}

// accepts tells whether an Accept header admits a media type. No header admits
// everything, and so does an empty one.
func accepts(header []string, mediaType string) bool {
	list := strings.Join(header, ",")
	if strings.TrimSpace(list) == "" {
		return true
	}
	family, _, _ := strings.Cut(mediaType, "/")
	for _, item := range strings.Split(list, ",") {
		name, parameters, _ := strings.Cut(item, ";")
		switch strings.TrimSpace(name) {
		case "*/*", family + "/*", mediaType:
			q := strings.ReplaceAll(parameters, " ", "")
			if q != "q=0" && !strings.HasPrefix(q, "q=0.0") {
				return true
			}
		}
	}
	return false
}
