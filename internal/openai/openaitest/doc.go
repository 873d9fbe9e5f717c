// Package openaitest is an organization of the OpenAI admin API in memory, behind a real HTTP server, for
// tests, the demo and for whoever wants to try rollcall without an organization of their own.
//
// It is strict about the reference: unknown parameters and fields are refused, every answer has every field
// that the reference names, and what the API would not do is not done. Faults (Fail), limits of
// single endpoints (Limit, LimitEndpoint) and calls that hang (a Fault with a long Latency) come on demand; Control has
// all of them over HTTP, and orgsim as commands.
//
// Where the reference is silent it assumes:
//
//   - Users are listed in the order in which they were added, roles by name, predefined ones first.
//   - Role lists give 20 entries if no limit is asked for, as the users do.
//   - A cursor whose user is gone is refused with 400.
//   - role and role_id together are refused; null leaves the role as it is, and clears persona and level.
//   - role_id with a predefined role sets role; with another it assigns that role directly.
//   - Assigning a role that is assigned already succeeds and changes nothing.
//   - A predefined role can be neither assigned nor unassigned: it follows role.
//   - A role that a user has from a group only can be seen, and cannot be unassigned (400).
//   - A user who is managed through SCIM cannot be deleted or change role (400); the default user cannot be
//     deleted (400).
//   - The last owner can be neither demoted nor deleted (400).
//   - A role has one ID, unless LongRoleIDs is set, as the live API was seen to be for some roles.
//   - A limit counts the calls that it lets through, not those that it refuses.
//   - Who is deleted and added again gets a new ID.
package openaitest
