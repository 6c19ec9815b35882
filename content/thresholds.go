package content

// A Threshold is the least score of a level, with the shares of mail that reach it.
type Threshold struct {
	Level Level   `json:"level"`
	Score float64 `json:"score"`
}

var thresholds = [...]Threshold{{LevelClean, 0}, {LevelMinor, 20}, {LevelRisky, 50}, {LevelSevere, 75}}

func levelOf(score float64) Level {
	level := LevelClean
	for _, t := range thresholds {
		if score >= t.Score {
			level = t.Level
		}
	}
	return level
}
