package accounts

// WaitingUses shows to tests how many uses wait to be saved.
func (s *Service) WaitingUses() int {
	s.pending.mu.Lock()
	defer s.pending.mu.Unlock()
	return len(s.pending.uses)
}

// HurriesUsage shows to tests whether uses are to be saved early, and forgets it.
func (s *Service) HurriesUsage() bool {
	select {
	case <-s.pending.full:
		return true
	default:
		return false
	}
}
