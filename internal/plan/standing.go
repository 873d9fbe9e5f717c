package plan

// Standing is whom a claim stands for.
type Standing struct {
	// User is who that is; its ID is "" where there is nobody.
	User User
	// Fact stands against it: with Unknown it must be looked at.
	Fact Fact
	// Unknown is who must be looked at, where the fact is Unknown.
	Unknown Key
	// TakesOver: whom the claim remembers is gone, and the user has their address. It is to be written down first.
	TakesOver bool
}

// Standing says whom the claim stands for. What it was matched with once is remembered: an address that went over to
// somebody else takes nobody along.
func (c *Claim) Standing(d Directory) Standing {
	if c.UserID != "" {
		return c.byID(c.UserID, d)
	}
	if c.Remembered != "" {
		if _, there := d.User(c.Remembered); there {
			return c.byID(c.Remembered, d)
		}
		if !d.NoUser(c.Remembered) {
			return Standing{Fact: Fact{Kind: Unknown}, Unknown: IDKey(c.Remembered)}
		}
	}
	users := d.WithEmail(c.Email)
	switch {
	case len(users) > 1:
		return Standing{Fact: Fact{Kind: Ambiguous, Users: users}}
	case len(users) == 1:
		return Standing{User: users[0], TakesOver: c.Remembered != ""}
	case !d.NoEmail(c.Email):
		return Standing{Fact: Fact{Kind: Unknown}, Unknown: EmailKey(c.Email)}
	case c.Remembered != "":
		return Standing{Fact: Fact{Kind: Left}}
	}
	return Standing{Fact: Fact{Kind: NotAMember}}
}

func (c *Claim) byID(id string, d Directory) Standing {
	user, there := d.User(id)
	switch {
	case !there && !d.NoUser(id):
		return Standing{Fact: Fact{Kind: Unknown}, Unknown: IDKey(id)}
	case !there && c.Remembered != "":
		return Standing{Fact: Fact{Kind: Left}}
	case !there:
		return Standing{Fact: Fact{Kind: NotAMember}}
	case c.Email != "" && Fold(user.Email) != c.Email:
		// Whoever has the address now is told with it.
		return Standing{User: user, Fact: Fact{Kind: AddressChanged, Users: append([]User{user}, d.WithEmail(c.Email)...)}}
	}
	return Standing{User: user}
}

// Resolved says whether the claim is matched with a member.
func (s Standing) Resolved() bool { return s.User.ID != "" }
