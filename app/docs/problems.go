package docs

import (
	"strings"

	"carillon/views"
)

// problemGroup is a part of the page of errors.
type problemGroup struct {
	title string
	list  []problem
}

// problem is one code: what follows # in the type of a problem document.
type problem struct {
	code, status, cause, cure string
}

// problems is every code that this program answers, in the order of the page. A test compares it
// with the source, both ways.
var problems = []problemGroup{
	{"Any request", []problem{
		{"invalid", "400", "The request cannot be read, or some of its fields break a rule.",
			"Correct the fields that `errors` names. Each has a message."},
		{"malformed_json", "400", "The body is not one JSON object in UTF-8, or it has a field that is unknown or repeated.",
			"Send one object with the fields of the reference, and `Content-Type: application/json`."},
		{"malformed_form", "400", "The multipart form is cut off, or its boundary is not the one in `Content-Type`.",
			"Let your HTTP library write the form and its `Content-Type`."},
		{"invalid_cursor", "400", "`after` is not a cursor that this list gave.",
			"Leave it out to start from the beginning, or send the last `next` unchanged."},
		{"last_event_id", "400", "`Last-Event-ID` is not an id of this stream.", "Leave it out, or send the last id that you received."},
		{"event_too_old", "410", "The event of `Last-Event-ID` is more than an hour ago.",
			"Connect without it, and list the rings for what you missed. A webhook is tried for three days."},
		{"idempotency_key", "400", "`Idempotency-Key` is empty, too long, or has other characters than printable ASCII.",
			"Use 1 to 255 printable ASCII characters, for example a UUID."},
		{"key_in_query", "400", "A key is part of the URL. Proxies and servers write URLs to their logs.",
			"Send it as `Authorization: Bearer`. If the key was real, revoke it and make a new one."},
		{"header_repeated", "400", "A header that may be sent once was sent twice, so it is not clear which one counts.",
			"Send it once. Look for a proxy that adds it again."},
		{"not_found", "404", "There is no such thing, or it belongs to another account. Both get the same answer.",
			"Check the address, the ID and the account of the key."},
		{"method_not_allowed", "405", "The address does not take this method.", "Use one of the methods in the `Allow` header."},
		{"timeout", "408", "The request took longer than ten seconds to arrive.", "Check your network, and send the request again."},
		{"conflict", "409", "Something with this name exists already, or the state has changed since.",
			"Read it again, then decide."},
		{"gone", "410", "What you asked for has ended.", "Do not repeat the request."},
		{"stale", "412", "It was changed by somebody else after you read it.", "Read it again and repeat your change."},
		{"too_large", "413", "The body is larger than this address takes, in most cases 64 KiB.", "Send a smaller body."},
		{"unsupported", "415", "The body has the wrong media type.", "Set `Content-Type` as the reference says."},
		{"content_encoding", "415", "The body is compressed.", "Send it without `Content-Encoding`."},
		{"unprocessable", "422", "The request can be read, but it cannot be carried out.", "`detail` says what is missing."},
		{"if_match_required", "428", "The request needs `If-Match`.", "Send the `ETag` of the last answer, or `*` to restart ICE."},
		{"too_many", "429", "Too many requests, for example guesses of pairing codes.", "Wait as `Retry-After` says."},
		{"too_many_changes", "429 or 503", "Too many changes in a short time.", "Wait as `Retry-After` says, and send fewer at once."},
		{"headers_too_large", "431", "The headers are larger than 16 KiB.",
			"In a browser, delete the cookies of this site. In a program, send fewer or shorter headers."},
		{"internal", "500", "Something failed on the server.", "Send `request_id` to the operator. The cause is in the log under this id."},
		{"unavailable", "503", "The server cannot do this now: it is stopping, or its database is busy.",
			"Wait as `Retry-After` says and send the same request again, with the same `Idempotency-Key`."},
	}},
	{"Keys and sign-in", []problem{
		{"key_expired", "401", "The API key has expired.", "Use the key that replaced it, or make a new one under API keys."},
		{"address_not_allowed", "403", "The key is limited to some addresses, and the request came from another one, which `detail` names.",
			"Add the address to the key under API keys, or send the request from an address on its list."},
		{"device_not_allowed", "403", "The key is limited to some devices or people, and this one is not on its list.",
			"Add the device or its person to the key under API keys, or use another key."},
		{"key_ended", "409", "The key was revoked or has expired, so it cannot be changed.", "Create a new key."},
		{"key_rotated", "409", "The key was rotated already and has one successor.", "Rotate or change the key that replaced it."},
		{"unauthorized", "401", "The key is missing, unknown or revoked, or you are not signed in.",
			"Send the key as `Authorization: Bearer`. Make a new one under API keys. A phone must be paired again."},
		{"key_malformed", "401", "What was sent is no API key.", "Copy the whole key. It starts with `crl_live_` or `crl_test_`."},
		{"credential_malformed", "401", "What was sent is no device credential.",
			"Send the credential that the app got when it was paired. It starts with `crl_device_`."},
		{"code_malformed", "401", "What was sent is no pairing code.", "A code has ten letters and digits: `XXXXX-XXXXX`."},
		{"pairing_gone", "401", "The pairing code is unknown, used, or older than ten minutes.", "Make a new code."},
		{"join_unknown", "401", "The join token is not known to this server, or the server was restarted.",
			"Ask for a new one with `POST /v1/rings/{id}/join`."},
		{"join_used", "401", "The join token was used. It is good for one connection.", "Ask for a new one."},
		{"join_expired", "401", "The join token is older than 60 seconds.", "Ask for a new one just before you connect."},
		{"forbidden", "403", "You may not do this.", "`detail` says what is missing."},
		{"missing_scope", "403", "The key lacks a scope. `detail` names it.", "Make a key with this scope under API keys."},
		{"missing_permission", "403", "Your role may not do this.", "Ask an owner of your organisation."},
		{"owners_only", "403", "Only an owner can add or remove owners.", "Ask an owner."},
		{"provider_refused", "403", "Your organisation’s provider did not sign you in, or its answer was not accepted.",
			"`detail` says why. An administrator finds it in the audit log."},
		{"provider_only", "403", "Your organisation signs in through its own provider.", "Choose “Sign in with your organisation”."},
		{"no_passkeys", "409", "This server has no domain name, so browsers make no passkeys for it.",
			"Its operator sets one with CARILLON_PUBLIC_URL, or with CARILLON_OPERATOR_URL for the operator console."},
		{"too_many_passkeys", "422", "You have 20 passkeys, which is the most.", "Remove one that you no longer use."},
		{"no_second_step", "409", "You have no second step yourself, so you cannot require one of others.",
			"Set up an authenticator app on your account page first."},
		{"through_provider", "403", "You signed in through your organisation’s provider, which may not change your account.",
			"Sign in with your password."},
		{"owner_password", "403", "Owners do not sign in through a provider.", "Sign in with your password."},
		{"not_invited", "403", "The address has an account that is no member of the organisation.",
			"Ask an administrator to invite you."},
		{"accept_invitation", "403", "You have an account with this address, and an invitation that you have not accepted yet.",
			"Open the link in the invitation email and enter the password of your account. Then sign in through the provider."},
		{"domain_unverified", "403", "The organisation has not proved that the domain of your address is its own.",
			"An administrator adds the DNS record that Settings, Sign-in shows, and checks it there."},
		{"no_member", "403", "You are no longer a member of this organisation.", "Ask an administrator to invite you."},
		{"account_disabled", "403", "The operator of the server disabled this account.", "Ask the operator."},
		{"sign_in_gone", "410", "This sign-in was used, took too long, or was begun in another browser.", "Begin again."},
		{"tenant_suspended", "403", "The account is suspended.", "Its owner can ask the operator of the server why."},
		{"origin", "403", "A web page of another origin tried to open the WebSocket.", "Open it from your server."},
		{"cross_site", "403", "The form was sent from another site.", "Open the page here and try again."},
		{"unknown_host", "403", "A server in dev mode answers only under `localhost` or `127.0.0.1`.",
			"Use that name, or start it with `--public`."},
		{"session_changed", "409", "The page was drawn for another person or organisation.", "Load the page again."},
		{"passwords_busy", "503", "The server is checking many passwords.", "Try again in a few seconds."},
		{"too_many_tries", "429 or 503", "Too many sign-ins, sign-ups or emails in a short time.", "Wait as `Retry-After` says."},
	}},
	{"Rings", []problem{
		{"no_sandbox_device", "409", "A test key rings sandbox devices only, and none is registered.",
			"Start your app from Xcode and pair it."},
		{"test_key", "403", "A test key rings sandbox devices only, and this device is in production.", "Use a live key."},
		{"device_disabled", "403", "Apple says that the push token of this device is dead.",
			"Open the app on the phone once. It then registers again."},
		{"credential_missing", "403", "There is no Apple credential for the app of this device.",
			"Upload its .p8 key or .p12 certificate under Apple credentials."},
		{"credential_disabled", "403", "Apple refuses the credential of this app.", "Replace it under Apple credentials."},
		{"credential_expired", "403", "The certificate of this app has expired.",
			"Upload a new one, or better a .p8 key, which does not expire."},
		{"idempotency_in_flight", "409", "The first request with this `Idempotency-Key` is not finished.", "Send it again in a moment."},
		{"ring_ended", "410", "The ring has ended.", "Stop ringing. Place a new ring if you still want to reach the person."},
		{"nobody_on_duty", "403", "Nobody of the group can be rung now. `detail` says why each person is left out.",
			"Change the group or its schedules, or ring a person."},
		{"quiet_hours", "403", "The rules of your industry, or your own, have quiet hours now. `detail` says until when.",
			"Ring again then. In an emergency use a key that has the scope `rings:emergency`."},
		{"consent_missing", "403", "Your rules ask for a recorded consent, and this person has none, or has withdrawn it.",
			"Record the consent with `POST /v1/consents` or in the console, then ring again."},
		{"no_devices", "422", "The person has no phone that can be rung.", "Pair their phone first."},
		{"idempotency_mismatch", "422", "The `Idempotency-Key` was used for another request in the last 24 hours.",
			"Use a new key for a new ring. Use the old one only to repeat the same request."},
		{"too_many_rings", "429 or 503", "Rings come faster than your account or this server allows.", "Wait as `Retry-After` says."},
		{"node_unreachable", "503", "Another server holds this call, and it does not answer right now.",
			"Wait as `Retry-After` says and send the request again. A phone may also answer the ring again."},
		{"other_node", "409", "Another server holds this ring. It has another version, and does not know this request.",
			"Try again in a moment. It passes once all servers have one version."},
		{"draining", "503", "This server is being restarted and takes no new rings or calls.", "Try again in a few seconds."},
	}},
	{"Calls and media", []problem{
		{"bad_offer", "400", "The body is not a session description that this server can read.",
			"Send the complete SDP offer as `application/sdp`."},
		{"bad_fragment", "400", "The body is not a fragment of ICE candidates that this server can read.",
			"Send it as `application/trickle-ice-sdpfrag` (RFC 8840)."},
		{"upgrade_required", "400", "The address is a WebSocket.", "Open it as one (RFC 6455, version 13)."},
		{"no_call", "409 or 404", "There is no call: nobody has answered, or it is over.", "Wait for the fact `answered`."},
		{"not_in_call", "409", "The ring has no call that can be transferred.",
			"Transfer after the fact `connected` and before the call ends."},
		{"no_agent_talks", "409", "The call is being transferred already, or is about to end.", "Wait for the next fact of the ring."},
		{"answered_elsewhere", "409", "Another device has answered.", "End the call in CallKit with the reason “answered elsewhere”."},
		{"agent_does_not_join", "409", "Carillon itself connects to the agents of this ring, so nobody can join it.",
			"Give the ring an agent of the kind `webrtc`, or a `stream` with the direction `attach`."},
		{"call_ended", "410", "The call has ended.", "Do not repeat the request."},
		{"if_match_stale", "412", "`If-Match` names an old ICE session.", "Send the `ETag` of the last answer."},
		{"if_match_missing", "428", "The request needs `If-Match`.", "Send the `ETag` of the answer, or `*` to restart ICE."},
		{"no_audio", "422", "The offer has no active audio, or more than one.", "Offer one audio section, `sendrecv`."},
		{"unsupported_media", "422", "The offer has no codec that fits, or no DTLS-SRTP.",
			"Offer Opus, G.722 or G.711 over DTLS-SRTP, as every WebRTC library does."},
		{"unreachable", "422", "The offer has only addresses that this server cannot send to.",
			"Offer a public address: give your ICE agent a STUN or TURN server."},
		{"unsupported_change", "422", "A call cannot change in this way.", "Hang up this leg and answer again."},
		{"same_person", "422", "The person to whom the call should go is on it already.", "Name another person."},
		{"too_many_answers", "429 or 503", "A device answers too often.", "Answer once, and again only after the network has changed."},
		{"too_many_restarts", "429 or 503", "A device or agent restarts ICE too often.", "Wait a moment and try again."},
		{"too_many_fragments", "429 or 503", "A device or agent sends ICE candidates too often.",
			"Send several candidates in one fragment."},
		{"too_many_joins", "429 or 503", "Too many join tokens that were not used.", "Use one of them, or wait a minute."},
		{"too_many_agents", "422, 429 or 503", "Too many agents wait for their calls, or the account has too many agents.",
			"Connect when the call begins. Remove agents that you no longer use."},
		{"too_many_streams", "429 or 503", "Too many event streams are open.",
			"Close some of them. One stream per ring is enough, and one of all rings for an account."},
		{"too_many_downloads", "429 or 503", "Too many recordings are on their way.", "Wait until one is complete."},
		{"full", "503", "This server carries as many calls as it can.", "Try again when a call has ended."},
		{"shutting_down", "503", "This server is being restarted.", "Try again in a few seconds."},
		{"no_voice", "503", "This server cannot carry calls right now.", "Tell its operator. `/status` shows the state."},
	}},
	{"Groups, schedules and alerts", []problem{
		{"too_many_groups", "422", "The account has 200 groups, which is the most.", "Remove one that nobody rings."},
		{"too_many_schedules", "422", "The account has 200 schedules, which is the most.", "Remove one that no group uses."},
		{"schedule_in_use", "409", "Groups use the schedule. Without it, their persons would be on duty always.",
			"Give those members another schedule first."},
		{"too_many_consents", "422", "The account has recorded 200,000 consents, which is the most.",
			"Ask the operator of the server to raise the bound."},
		{"too_many_alert_rules", "422", "The account has 50 alert rules, which is the most.", "Remove one that nobody needs."},
		{"too_many_alert_targets", "422", "The account has 20 alert targets, which is the most.", "Remove one that nobody needs."},
		{"digest_gone", "410", "The link that turns the weekly email off is not known any more.",
			"Sign in, and turn the email off on your account page."},
	}},
	{"Agents, notes and recordings", []problem{
		{"not_builtin", "409", "Only a built-in agent plays an announcement.", "Choose an agent of the kind `builtin`."},
		{"bad_sound", "422", "The file is no announcement: it is not Ogg Opus, or it is too long.",
			"`errors` says what is wrong with the file."},
		{"past_retention", "410", "The call is older than your plan keeps notes.", "Keep notes in your own system too."},
		{"notes_full", "422", "The notes of this call are as long as notes may be.", "Send fewer or shorter lines."},
		{"recording_full", "413", "The recording of this call has reached its largest size.", "Later sound of this call is not kept."},
		{"recordings_full", "422", "Your recordings have reached their largest size.",
			"Wait until old ones are removed, or shorten the retention."},
		{"too_many_sounds", "422", "The account has too many announcements.", "Remove an agent that plays one."},
	}},
	{"Connections", []problem{
		{"connection_not_active", "409", "The connection is paused, disabled or has ended, so nothing is sent.", "Turn it on again first."},
		{"connection_busy", "429", "The connection answers other events at the moment, so no test can be sent.",
			"Try again in ten seconds."},
		{"calendar_just_read", "429", "The calendar was read less than a minute ago.", "Try again in a minute."},
		{"no_events", "422", "A connection of this role is sent no events, so there is nothing to send.", "Test another connection."},
		{"text_refused", "422", "The service that sends texts refused. The attempts of the connection have its reason.",
			"Correct the account, the sender or the number."},
	}},
	{"Devices, keys and people", []problem{
		{"too_many_devices", "422", "The account has as many devices as any account may have.", "Remove some that nobody uses."},
		{"too_many_pairings", "429", "Too many pairing codes are open.",
			"Wait until some are used or have expired. A code lasts ten minutes."},
		{"too_many_keys", "422", "The account has too many API keys.", "Revoke one that no program uses."},
		{"too_many_invitations", "422", "The account has too many open invitations.", "Cancel some that nobody will use."},
		{"too_many_views", "422", "The account has 500 saved views, which is the most.", "Remove one that nobody uses."},
		{"too_many_tags", "422", "The device has 20 tags, which is the most.", "Remove one of them."},
		{"no_entries", "409", "The entries to be signed off are not in the audit log.", "Load the page again."},
		{"busy", "503", "Many organisations verify their audit logs, or are exported, now.", "Try again in a minute."},
		{"tenant_deleted", "410", "The organisation is being deleted, which cannot be stopped any more.", "Sign up again."},
		{"export_running", "409", "An export of the organisation is under way.", "Wait until it is ready, or remove it."},
		{"export_elsewhere", "503", "The server of this installation that has the file of the export does not run.",
			"Try again later, or remove the export and ask for a new one."},
		{"export_gone", "410", "The file of the export is no longer there.", "Remove the export and ask for a new one."},
		{"exports_off", "503", "This server has no folder for exports.", "The operator sets `CARILLON_DATA`."},
		{"too_many_exports", "429 or 503", "Too many lists are being downloaded.", "Wait until one is complete."},
		{"last_owner", "409", "An organisation needs an owner, and this is the only one.", "Make somebody else an owner first."},
		{"invitation_gone", "410", "The invitation was used, cancelled or replaced, or it has expired.", "Ask for a new one."},
		{"reset_gone", "410", "The link for a new password was used or has expired.", "Ask for a new one."},
		{"email_change_gone", "410", "The link for a new email address was used or has expired.",
			"Ask for the change again under your account."},
		{"signup_gone", "410", "The link of the sign-up was used or has expired.", "Sign up again."},
		{"link_gone", "410", "The sign-in link was used or has expired.", "Ask for a new one."},
		{"mail_busy", "503", "The server cannot send email right now.", "Try again in a few minutes."},
	}},
	{"Apple credentials", []problem{
		{"bad_credential", "422", "The file is no .p8 key or .p12 certificate that works, or its IDs do not fit.",
			"`errors` says what is wrong. Upload the file as Apple gave it."},
		{"topic_missing", "422", "The certificate is for another app.",
			"Correct the bundle ID, or make a VoIP Services certificate for this app."},
		{"bad_push", "422", "A push with these values would be refused by Apple.", "Check the bundle ID and the token."},
		{"no_previous", "409", "There is no previous credential to go back to.", "Upload the file again."},
		{"file_too_large", "413", "The file is larger than 64 KiB. Keys and certificates have a few KiB.",
			"Upload the file as Apple gave it."},
		{"opening_files", "429 or 503", "Another certificate is being opened.", "Try again in a moment."},
		{"too_many_credentials", "422", "The account has too many Apple credentials.", "Remove one that no app uses."},
		{"too_many_uploads", "429 or 503", "Too many files were uploaded in a short time.", "Wait as `Retry-After` says."},
		{"too_many_probes", "429", "The credential was checked too often in a short time.", "Wait as `Retry-After` says."},
		{"no_probe", "503", "This server cannot ask Apple about credentials at the moment.", "Try again later."},
	}},
	{"Plans and payment", []problem{
		{"unpaid", "402", "Your plan does not include this.", "Choose a larger plan under Billing."},
		{"ring_quota", "402", "The rings of the month are used up.", "Turn on further rings or choose a larger plan under Billing."},
		{"device_quota", "402", "The plan includes no more devices.", "Remove one, or choose a larger plan."},
		{"people_quota", "402", "The plan includes no more people.", "Remove one, or choose a larger plan."},
		{"trial_ended", "402", "The trial has ended, so no phone can be rung.",
			"Choose a plan under Billing. Everything you set up is still there."},
		{"trial_card", "402", "The card was used for a trial of another organisation, so this trial has ended.",
			"Subscribe under Billing."},
		{"payment_failed", "402 or 409", "A payment failed and is still open.", "Update the payment method under Billing."},
		{"payment_incomplete", "402", "The first payment has not arrived.", "Complete it under Billing."},
		{"subscription_ended", "402", "The subscription has ended.", "Subscribe again under Billing."},
		{"subscription_unconfirmed", "402", "The renewal of the subscription is not confirmed.",
			"Open Billing. If it stays so, ask the operator of the server."},
		{"subscription_unknown", "402", "The state of the subscription is unknown.", "Ask the operator of the server."},
		{"calls_at_once", "429", "All calls at once that the plan includes are in use.",
			"Try again when one has ended, or choose a larger plan."},
		{"not_subscribed", "409", "There is no subscription.", "Subscribe first."},
		{"subscribed", "409", "There is a subscription already.", "Change its plan under Billing."},
		{"same_plan", "409", "You already have this plan.", "Choose another one."},
		{"preview_old", "409", "The price that was shown is too old.", "Look at it again."},
		{"no_customer", "409", "There is no account at Stripe yet.", "Subscribe first."},
		{"gone_at_stripe", "409", "Stripe no longer has this subscription or its customer.", "Open Billing again to see what Stripe says."},
		{"card_refused", "402", "The payment did not go through. Nothing was changed.", "Update the payment method and try again."},
		{"stripe_refused", "503", "Stripe refused the request. Nothing was changed.",
			"The operator finds the reason with `carillon doctor`."},
		{"stripe_away", "503", "Stripe does not answer. Nothing was changed, and phones still ring.", "Try again in a minute."},
		{"no_price", "503", "Stripe has no price for this plan.", "The operator must run `carillon plans sync`."},
		{"reference_used", "409", "A payout of another sum has this reference.", "Look at the list again."},
		{"payable_changed", "409", "What is payable to this partner is another sum now.", "List the payouts again before you pay."},
	}},
	{"Stripe's messages to this server", []problem{
		{"bad_signature", "400", "Stripe did not sign this message for this server.", "Check `CARILLON_STRIPE_WEBHOOK_SECRET`."},
		{"bad_event", "400", "The message has no id or type, or its object cannot be read.", "Send it again from Stripe's dashboard."},
		{"other_mode", "400", "The message is from the other mode of Stripe, test or live.",
			"Point each mode's webhook at a server with a key of that mode."},
	}},
	{"Model Context Protocol", []problem{
		{"mcp_batch", "400", "The body is a list of messages.", "Send each message in a request of its own."},
		{"mcp_protocol", "400, 404, 413 or 415", "The request is no message of the protocol that this server reads.",
			"Use a client of the Model Context Protocol with the transport “streamable HTTP”."},
		{"mcp_method", "404", "The server has no subscriptions: its tools do not change.",
			"Call `get_ring` with `wait_s` to wait for a ring."},
		{"foreign_origin", "403", "A web page of another site sent the request.", "Send it from a program, without an `Origin` header."},
	}},
	{"The form of a request", []problem{
		{"line_ends", "400", "A header line does not end with CR LF.", "Let your HTTP library write the request."},
		{"folded_header", "400", "A header is folded over several lines.", "Send each header on one line."},
		{"header_name", "400", "The name of a header contains a blank.", "Let your HTTP library write the request."},
		{"transfer_encoding", "400", "The server reads no other Transfer-Encoding than chunked.", "Send `Content-Length`, or chunks."},
		{"two_lengths", "400", "The request gives its length twice.", "Send one `Content-Length`, or chunks without one."},
		{"host", "400", "The Host header is not a host name with an optional port.", "Correct it in your client or proxy."},
		{"two_hosts", "400", "The request names two hosts.", "Send the same host in the first line and in `Host`."},
		{"trailers", "400", "There are fields after the body.", "Send all headers before the body."},
	}},
	{"The operator console", []problem{
		{"no_consent", "403", "The owner of the tenant does not let operators look at its console now.",
			"Ask the owner to allow it in Settings."},
		{"event_busy", "409", "This event of Stripe is being processed at this moment.", "Look again in a minute."},
		{"event_gone", "410", "Stripe does not have this event any more. It keeps events for 30 days.",
			"Compare the subscription of the tenant with Stripe's dashboard."},
		{"last_step", "409", "The passkey is the only second step of the operator.", "Add another passkey or an app first."},
		{"mail_full", "503", "The queue of emails is full, so the email was not sent again.", "Send it again in a minute."},
	}},
	{"The server", []problem{
		{"not_ready", "503", "The server is not ready: its database, bus or gateway does not answer.", "The log has the cause."},
		{"storage_full", "503", "The server cannot store anything; its disk may be full.",
			"Try again in a few seconds, and tell the operator."},
		{"memory_full", "503", "The server has no memory for another request. Nothing was done.", "Try again in a few seconds."},
		{"disk_full", "503", "The disk of the server is full.", "The operator must make room."},
		{"connections_full", "503", "Connections were refused in the last seconds.", "The operator must raise the limit of open files."},
		{"too_many_connections", "422, 429 or 503",
			"Too many network connections are open to this server; or, with 422, the account has too many connections to its own systems.",
			"Close some, and use one for several requests. With 422, remove a connection that you no longer use."},
		{"demo_busy", "429 or 503", "Too many demo calls.", "Wait a moment and try again."},
		{"no_demo", "503", "The operator has closed the demo.", "Start a trial instead."},
		{"no_virtual_phone", "404", "This server has no virtual phone. Only `carillon dev` has one.", "Start `carillon dev`."},
	}},
}

// problemOf is the entry of a code.
func problemOf(code string) (problem, bool) {
	for _, g := range problems {
		for _, p := range g.list {
			if p.code == code {
				return p, true
			}
		}
	}
	return problem{}, false
}

// Known reports whether a code of a problem has its section.
func Known(code string) bool {
	_, ok := problemOf(code)
	return ok
}

// Codes lists every code that has a section.
func Codes() (list []string) {
	for _, g := range problems {
		for _, p := range g.list {
			list = append(list, p.code)
		}
	}
	return list
}

// groupID makes the anchor of a group from its title.
var groupID = strings.NewReplacer(" ", "-", ",", "", "'", "")

// problemsPage is the page of errors and what search finds on it.
func problemsPage() (*views.DocPage, []section) {
	p := &views.DocPage{Slug: "errors", Group: "Reference", Title: "Errors",
		Summary: "Every code of an error, with its cause and what to do."}
	found := []section{{page: p.Title, title: p.Title, href: views.DocPath(p.Slug), text: p.Summary, top: true}}
	for _, g := range problems {
		part := views.DocProblems{Title: g.title, ID: groupID.Replace(strings.ToLower("group " + g.title))}
		for _, one := range g.list {
			drawn := views.DocProblem{Code: one.code, Status: one.status, Cause: linked(one.cause), Cure: linked(one.cure)}
			part.List = append(part.List, drawn)
			found = append(found, section{page: p.Title, title: one.code, href: views.DocPath(p.Slug) + "#" + one.code,
				text: one.status + " " + strip(drawn.Cause) + " " + strip(drawn.Cure)})
		}
		p.Problems = append(p.Problems, part)
		p.Headings = append(p.Headings, views.Link{Text: g.title, Href: "#" + part.ID})
	}
	return p, found
}
