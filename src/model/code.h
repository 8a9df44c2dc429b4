#ifndef MODEL_CODE_H
#define MODEL_CODE_H

/*
 * The stable codes of problems (contract section 3), each with its HTTP
 * status and its title. CODE_OK is none.
 */
#define CODES(C)                                                              \
	C(NOT_FOUND, 404, "No such path")                                     \
	C(METHOD_NOT_ALLOWED, 405, "Method not allowed")                      \
	C(UNAUTHENTICATED, 401, "Not authenticated")                          \
	C(FORBIDDEN, 403, "Not permitted")                                    \
	C(PAYLOAD_TOO_LARGE, 413, "Body too large")                           \
	C(UNSUPPORTED_MEDIA_TYPE, 415, "Body is not application/json")        \
	C(MALFORMED_JSON, 400, "Body is not valid JSON")                      \
	C(VALIDATION_FAILED, 422, "Fields are missing or wrong")              \
	C(IDEMPOTENCY_KEY_REUSED, 422, "Key was used with another body")      \
	C(IDEMPOTENCY_IN_PROGRESS, 409, "Same request is still under way")    \
	C(DEADLINE_PASSED, 503, "Waited too long in the queue")               \
	C(CTT_NOT_FOUND, 404, "CTT not found")                                \
	C(NTT_NOT_FOUND, 404, "NTT not found")                                \
	C(OPERATION_NOT_FOUND, 404, "Operation not found")                    \
	C(OPERATION_IN_PROGRESS, 409, "Another operation is under way")       \
	C(CTT_ALREADY_LINKED, 409, "CTT is already linked")                   \
	C(UNLINK_BLOCKED, 409, "Pair was unlinked a moment ago")              \
	C(PARTNER_BUSY, 503, "Too many requests wait for the partner")         \
	C(NOT_ATTEMPTED, 409, "Refused together with another")                \
	C(CTT_NOT_LINKED_TO_NTT, 409, "CTT is not linked to this NTT")        \
	C(CTT_ACTIVITY_NOT_FOUND, 404, "Not the latest activity of the CTT")  \
	C(CTT_STATUS_TERMINAL, 409, "CTT is closed or cancelled")             \
	C(NTT_STATUS_TERMINAL, 409, "NTT is closed or cancelled")             \
	C(CTT_ALREADY_RESOLVED, 409, "CTT is resolved already")               \
	C(DUPLICATE_ITEM, 409, "CTT comes twice in the request")              \
	C(ONLY_RESOLVED_ALLOWED, 422, "Only Resolved can be set")             \
	C(RESOLUTION_CODE_INVALID, 422, "Codes are missing or not allowed")   \
	C(NETWORK_ELEMENT_NOT_FOUND, 404, "Network element not found")        \
	C(CPE_NOT_ELIGIBLE, 422, "CPE of this CTT cannot be updated")         \
	C(CPE_STALE, 409, "CPE data was changed meanwhile")                   \
	C(EXTERNAL_UNLINK_FAILED, 502, "Partner did not accept the unlink")   \
	C(EXTERNAL_SYNC_FAILED, 502, "Partner did not accept the change")     \
	C(BULK_ALL_FAILED, 422, "No item succeeded")                          \
	C(DB_SAVE_FAILED, 500, "Database refused the change")                 \
	C(DB_UNAVAILABLE, 503, "Database is away")                            \
	C(NO_ANSWER, 504, "Outcome is not known yet")                         \
	C(NOT_READY, 503, "A part is away")                                   \
	C(INTERNAL_ERROR, 500, "Internal error")

enum code {
	CODE_OK,
#define C(id, status, title) CODE_##id,
	CODES(C)
#undef C
	CODE__MAX
};

struct code_info {
	const char *name; /* "CTT_NOT_FOUND" */
	int status;
	const char *title;
};

extern const struct code_info code_info[CODE__MAX];

/* CODE_OK if there is none of that name, or no name. */
enum code code_of(const char *name);

#endif
