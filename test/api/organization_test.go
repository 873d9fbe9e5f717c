package api_test

const (
	secretName = `name must be the name of a Secret: lowercase letters, digits, '-' and '.' only, such as openai-admin-key`
	secretKey  = `key must be a key of a Secret: letters, digits, '-', '_' and '.' only, such as api-key`
	duration   = `resyncInterval must be a duration such as 30s, 10m or 1h30m`
	interval   = `resyncInterval must be from 30s to 24h; to read the organization now, set the annotation openai.rollcall.dev/sync-requested-at instead`
)

func organizationRefusals() []refusal {
	return []refusal{
		creating(organization, "no spec", `spec: null`,
			`spec: Required value`),
		creating(organization, "no adminKeySecretRef", `spec: {adminKeySecretRef: null}`,
			`spec.adminKeySecretRef: Required value`),
		creating(organization, "a Secret without a name", `spec: {adminKeySecretRef: {name: null}}`,
			`spec.adminKeySecretRef.name: Required value`),
		creating(organization, "a Secret whose name is empty", `spec: {adminKeySecretRef: {name: ""}}`,
			`spec.adminKeySecretRef.name: Invalid value: "": `+secretName),
		creating(organization, "a Secret whose name is too long for a name", `spec: {adminKeySecretRef: {name: `+chars(254)+`}}`,
			`spec.adminKeySecretRef.name: Too long: may not be more than 253 bytes`),
		creating(organization, "a Secret whose name is no name: a namespace in front", `spec: {adminKeySecretRef: {name: other/key}}`,
			`spec.adminKeySecretRef.name: Invalid value: "other/key": `+secretName),
		creating(organization, "a Secret whose name is no name: capitals", `spec: {adminKeySecretRef: {name: OpenAI}}`,
			`spec.adminKeySecretRef.name: Invalid value: "OpenAI": `+secretName),
		creating(organization, "a Secret whose name is no name: a final hyphen", `spec: {adminKeySecretRef: {name: key-}}`,
			`spec.adminKeySecretRef.name: Invalid value: "key-": `+secretName),
		creating(organization, "an empty key", `spec: {adminKeySecretRef: {key: ""}}`,
			`spec.adminKeySecretRef.key: Invalid value: "": `+secretKey),
		creating(organization, "a key too long for a Secret", `spec: {adminKeySecretRef: {key: `+chars(254)+`}}`,
			`spec.adminKeySecretRef.key: Too long: may not be more than 253 bytes`),
		creating(organization, "a key that no Secret can have", `spec: {adminKeySecretRef: {key: "api key"}}`,
			`spec.adminKeySecretRef.key: Invalid value: "api key": `+secretKey),

		creating(organization, "an interval below 30s", `spec: {resyncInterval: 29.999s}`,
			`spec.resyncInterval: Invalid value: "29.999s": `+interval),
		creating(organization, "an interval above 24h", `spec: {resyncInterval: 24h1s}`,
			`spec.resyncInterval: Invalid value: "24h1s": `+interval),
		creating(organization, "an interval of nothing", `spec: {resyncInterval: 0s}`,
			`spec.resyncInterval: Invalid value: "0s": `+interval),
		creating(organization, "an interval without a unit", `spec: {resyncInterval: "600"}`,
			`spec.resyncInterval: Invalid value: "600": `+duration),
		creating(organization, "an interval in a unit that Go does not know", `spec: {resyncInterval: 1d}`,
			`spec.resyncInterval: Invalid value: "1d": `+duration),
		creating(organization, "a negative interval", `spec: {resyncInterval: -10m}`,
			`spec.resyncInterval: Invalid value: "-10m": `+duration),
		creating(organization, "an empty interval", `spec: {resyncInterval: ""}`,
			`spec.resyncInterval: Invalid value: "": `+duration),
		creating(organization, "an interval that overflows a duration", `spec: {resyncInterval: 9999999999999h}`,
			`spec.resyncInterval: Invalid value: "9999999999999h": `+duration),
		creating(organization, "an interval written at great length", `spec: {resyncInterval: `+chars(33)+`}`,
			`spec.resyncInterval: Too long: may not be more than 32 bytes`),
		updating(organization, "an interval changed to one below 30s", ``, `spec: {resyncInterval: 1s}`,
			`spec.resyncInterval: Invalid value: "1s": `+interval),

		creating(organization, "no requests at all", `spec: {requestsPerMinute: 0}`,
			`spec.requestsPerMinute: Invalid value: 0: spec.requestsPerMinute in body should be greater than or equal to 1`),
		creating(organization, "more requests than can be", `spec: {requestsPerMinute: 100001}`,
			`spec.requestsPerMinute: Invalid value: 100001: spec.requestsPerMinute in body should be less than or equal to 100000`),

		reporting(organization, "an endless organization ID", `status: {organizationID: `+chars(257)+`}`,
			`status.organizationID: Too long: may not be more than 256 bytes`),
		reporting(organization, "an endless sync request", `status: {lastHandledSyncRequest: `+chars(257)+`}`,
			`status.lastHandledSyncRequest: Too long: may not be more than 256 bytes`),
		tooManyConditions(organization),
		twoConditionsOfOneType(organization),
	}
}
