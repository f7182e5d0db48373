"""Video events between camera and incident: who must see them, their pictures, the verdicts."""
