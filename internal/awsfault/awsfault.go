// Package awsfault gives the errors of AWS's services their fault.Kind, and the
// sentence that tells an operator the way out.
package awsfault

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"hubspotconnector/internal/fault"
)

// meaning is what an error code says.
type meaning string

const (
	throttled meaning = "a quota is spent"
	skewed    meaning = "the signature is not of now"
	expired   meaning = "the credentials do not count"
	denied    meaning = "a permission is missing"
	missing   meaning = "there is no such thing"
	region    meaning = "it is in another region"
	sealed    meaning = "its KMS key cannot be used"
)

// meaningOf tells what a code says that means the same in every service (AWS,
// Common Errors, November 2026, and the services' API references); "" = that it
// does not know.
func meaningOf(code string) meaning {
	switch code {
	case "ThrottlingException", "Throttling", "ThrottledException", "TooManyRequestsException", "RequestLimitExceeded", "RequestThrottled",
		"RequestThrottledException", "ProvisionedThroughputExceededException", "BandwidthLimitExceeded", "SlowDown", "LimitExceededException",
		"KmsThrottlingException", "PriorRequestNotComplete", "EC2ThrottledException", "TransactionInProgressException":
		return throttled
	case "RequestTimeTooSkewed", "RequestExpired", "InvalidSignatureException", "SignatureDoesNotMatch", "RequestInTheFuture":
		return skewed
	case "ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired", "UnrecognizedClientException", "InvalidClientTokenId", "InvalidAccessKeyId",
		"InvalidToken", "MissingAuthenticationToken", "MissingAuthenticationTokenException", "IncompleteSignature":
		return expired
	case "AccessDenied", "AccessDeniedException", "NotAuthorized", "AuthorizationError", "AllAccessDisabled", "AccountProblem":
		return denied
	case "ResourceNotFoundException", "NoSuchBucket", "StateMachineDoesNotExist", "StateMachineDeleting", "NotFoundException":
		return missing
	case "PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException", "InvalidRegion":
		return region
	case "KMSAccessDeniedException", "KMSDisabledException", "KMSInvalidStateException", "KMSNotFoundException", "KMS.DisabledException", "KMS.NotFoundException",
		"KMS.KMSInvalidStateException", "DisabledException", "KmsAccessDeniedException", "KmsInvalidStateException", "InaccessibleEncryptionKeyException":
		return sealed
	}
	return ""
}

// Wrap gives an error of a service its kind. service is the name that the
// operator knows, such as "DynamoDB", and what the thing that is used, such as
// "the table". nil stays nil; an error that is a fault already stays as it is.
// Codes that only one service knows are its adapter's, before it calls Wrap.
func Wrap(err error, service, what string) error {
	var already *fault.Error
	if err == nil || errors.As(err, &already) {
		return err
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return fault.Wrap(err, fault.Transient, "%s did not answer in time. It is tried again.", service)
	}
	var api smithy.APIError
	if !errors.As(err, &api) {
		return withoutAnswer(err, service)
	}
	code := meaningOf(api.ErrorCode())
	if code == denied && strings.Contains(strings.ToLower(api.ErrorMessage()), "kms") {
		code = sealed // S3 and DynamoDB say so of their key
	}
	switch code {
	case throttled:
		return fault.Wrap(err, fault.Throttled, "%s takes no more calls for the moment. It is tried again.", service)
	case skewed:
		return fault.Wrap(err, fault.Transient, "%s refused the signature of a call. If it goes on, set this machine's clock and check its credentials.", service)
	case expired:
		return fault.Wrap(err, fault.Transient, "%s does not accept the AWS credentials: they are wrong or have expired. Give the function its role again, or sign in again.", service)
	case sealed:
		return fault.Wrap(err, fault.Invalid, "%s cannot use its KMS key. Enable the key, and allow this function's role to use it.", service)
	case denied:
		return fault.Wrap(err, fault.Invalid, "%s does not let this function use %s. Add the permission to its role, and check the key's policy.", service, what)
	case missing:
		return fault.Wrap(err, fault.Invalid, "%s has no such thing as %s. Check its name and the region, and deploy the template again.", service, what)
	case region:
		return fault.Wrap(err, fault.Invalid, "%s keeps %s in another region. Set the region in which it was deployed.", service, what)
	}
	return byStatus(err, api, service, what)
}

// byStatus judges a code that is not known: whose fault it is says what to do.
func byStatus(err error, api smithy.APIError, service, what string) error {
	var answer *smithyhttp.ResponseError
	if api.ErrorFault() == smithy.FaultServer || errors.As(err, &answer) && answer.HTTPStatusCode() >= http.StatusInternalServerError {
		return fault.Wrap(err, fault.Transient, "%s failed to answer. It is tried again.", service)
	}
	return fmt.Errorf("%s, %s: %w", service, what, err)
}

// withoutAnswer is for errors before or instead of a service's answer.
func withoutAnswer(err error, service string) error {
	var unsent *smithyhttp.RequestSendError
	var broken *smithy.DeserializationError
	if errors.As(err, &unsent) || errors.As(err, &broken) {
		return fault.Wrap(err, fault.Transient, "%s cannot be reached. Check the network and the region; it is tried again.", service)
	}
	if strings.Contains(err.Error(), "get identity") { // the SDK has no type for it
		return fault.Wrap(err, fault.Transient, "There are no AWS credentials for %s. Give the function its role, or sign in.", service)
	}
	return fmt.Errorf("%s: %w", service, err)
}
