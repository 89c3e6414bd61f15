package views

// action is where the form goes: the list for a new agent, the agent itself for a change.
func (p AgentFormPage) action() string {
	if p.ID == "" {
		return PathAgentAdd
	}
	return AgentPath(p.ID)
}
