mod uri;
