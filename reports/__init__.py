"""What a person looks at: charts, pages, contact sheets and films."""
