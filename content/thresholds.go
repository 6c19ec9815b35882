package content

// A Threshold is the least score of a level, and the measured shares of mail that reach
// it: of personal mail and mailing lists (EasyHam), of newsletters and shop mail
// (HardHam) and of spam of 2002, to which the weights were fitted, and of marketing
// templates.
type Threshold struct {
	Level     Level   `json:"level"`
	Score     float64 `json:"score"`
	EasyHam   float64 `json:"easy_ham"`
	HardHam   float64 `json:"hard_ham"`
	Templates float64 `json:"templates"`
	Spam      float64 `json:"spam"`
}

// The shares are those that TestCorpus measures.
var thresholds = [...]Threshold{
	{LevelClean, 0, 1, 1, 1, 1},
	{LevelMinor, 20, 0.003, 0.3356, 0, 0.8164},
	{LevelRisky, 50, 0, 0.0336, 0, 0.5994},
	{LevelSevere, 75, 0, 0.0134, 0, 0.3872},
}

// Thresholds returns where each level begins, with the weights that come with the
// package, and what reaches it: false positives and recall.
func Thresholds() []Threshold { return append([]Threshold(nil), thresholds[:]...) }

func levelOf(score float64) Level {
	level := LevelClean
	for _, t := range thresholds {
		if score >= t.Score {
			level = t.Level
		}
	}
	return level
}
